"""Return policies: validate new terms, and preview what they would have changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing.models import Return
from billing.return_terms import LIMITS, ReturnTerms, invalid_fields
from kernel.models import LIVE
from kernel.policy_versions import reason_errors
from kernel.refusal import FieldError, Invalid

SAMPLE_MAX, SAMPLE_PERIOD = 2_000, timedelta(days=90)


@dataclass(frozen=True, slots=True)
class ReturnTermsPreview:
    """Of the returns looked at: how many were refunded early, and how many would be."""

    looked_at: int
    ahead: int
    would: int


def validate_return_terms(stored: Mapping[str, Any], reason: str) -> None:
    """Check that these terms can be published.

    Raises:
        Invalid: they cannot; `errors` lists what is wrong.
    """
    errors = []
    for name in invalid_fields(ReturnTerms(**stored)):
        low, high = LIMITS[name]
        errors.append(FieldError(f"/{name}", format_lazy(_("Whole numbers from {low} to {high}."), low=low, high=high)))
    errors += reason_errors(reason)
    if errors:
        raise Invalid(errors=errors)


def preview_return_terms(stored: Mapping[str, Any], *, at: datetime) -> ReturnTermsPreview:
    """What these terms would have changed for the live realm's returns of the last 90 days, by today's scores."""
    terms = ReturnTerms(**stored)
    rows = Return.objects.filter(realm_id=LIVE, opened_at__gte=at - SAMPLE_PERIOD).order_by("-id")
    sample = list(rows.select_related("person__profile")[:SAMPLE_MAX])
    would = sum(
        terms.allows_early_refund(row.person.profile.score, has_overdue=False, open_returns=0, amount=row.amount)
        for row in sample
    )
    return ReturnTermsPreview(len(sample), sum(row.advance_id is not None for row in sample), would)
