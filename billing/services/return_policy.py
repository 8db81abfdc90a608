"""Who has money back ahead of a return is a policy: what other terms would have changed, and whether they may count."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing.models import Return
from billing.returns import SPANS, Terms, wrong_in
from kernel.models import LIVE
from kernel.refusal import FieldError, Invalid
from kernel.versions import wrong_reason

SAMPLE_MAX, LOOKED_BACK = 2_000, timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Trusted:
    """Of so many returns, for how many money went back ahead, and for how many it would."""

    looked_at: int
    ahead: int
    would: int


def judge_return_terms(plain: Mapping[str, Any], reason: str) -> None:
    """Whether these terms could be published.

    Raises:
        Invalid: they could not; `errors` says what is wrong.
    """
    errors = []
    for name in wrong_in(Terms(**plain)):
        low, high = SPANS[name]
        errors.append(FieldError(f"/{name}", format_lazy(_("Whole numbers from {low} to {high}."), low=low, high=high)))
    errors += wrong_reason(reason)
    if errors:
        raise Invalid(errors=errors)


def foresee_trust(plain: Mapping[str, Any], *, at: datetime) -> Trusted:
    """What these terms would have meant for the live world's returns of the last ninety days, by today's scores."""
    terms = Terms(**plain)
    rows = Return.objects.filter(realm_id=LIVE, opened_at__gte=at - LOOKED_BACK).order_by("-id")
    looked = list(rows.select_related("person__profile")[:SAMPLE_MAX])
    would = sum(terms.trusts(row.person.profile.score, overdue=False, undecided=0, amount=row.amount) for row in looked)
    return Trusted(len(looked), sum(row.advance_id is not None for row in looked), would)
