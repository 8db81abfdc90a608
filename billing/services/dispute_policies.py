"""Dispute policies: validate new terms, and preview what they would have changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing.dispute_terms import ANSWER_DAYS_MAX, ANY_OTHER_CODE, invalid_fields, parse_terms
from billing.models import Dispute, DisputeLine
from kernel.ids import parse, public
from kernel.models import LIVE
from kernel.policy_versions import reason_errors
from kernel.refusal import FieldError, Invalid
from merchants.models import Service

#: A preview looks at no more disputes than this, of this period, the newest first.
SAMPLE_MAX, SAMPLE_PERIOD = 2_000, timedelta(days=90)


@dataclass(frozen=True, slots=True)
class DisputeTermsPreview:
    """Of the disputes looked at: how many would have another bearer, who that is, and how many change in `heard`."""

    looked_at: int
    moved: int
    person: int
    merchant: int
    platform: int
    heard: int


def validate_dispute_terms(stored: Mapping[str, Any], reason: str) -> None:
    """Check that these terms can be published.

    Raises:
        Invalid: they cannot; `errors` lists what is wrong.
    """
    terms = parse_terms(stored)
    messages = {
        "answer_days": format_lazy(_("Whole numbers from {low} to {high}."), low=1, high=ANSWER_DAYS_MAX),
        "exceptions": _("List each service and reason only once, with who bears it."),
    }
    errors = [FieldError(f"/{name}", messages.get(name, _("Choose who bears it."))) for name in invalid_fields(terms)]
    public_ids = {one.service for one in terms.exceptions}
    keys = [key for one in public_ids if (key := parse("svc", one)) is not None]
    if Service.objects.filter(pk__in=keys).count() != len(public_ids):
        errors.append(FieldError("/exceptions", _("No such service.")))
    errors += reason_errors(reason)
    if errors:
        raise Invalid(errors=errors)


def preview_dispute_terms(stored: Mapping[str, Any], *, at: datetime) -> DisputeTermsPreview:
    """What these terms would have changed for the live realm's disputes of the last 90 days."""
    terms = parse_terms(stored)
    rows = Dispute.objects.filter(realm_id=LIVE, opened_at__gte=at - SAMPLE_PERIOD).order_by("-id")
    sample = list(rows.values_list("id", "code", "bearer", "answer_until")[:SAMPLE_MAX])
    services: dict[UUID, set[UUID]] = {}
    lines = DisputeLine.objects.filter(dispute__in=[row[0] for row in sample])
    for dispute_id, service_id in lines.values_list("dispute_id", "order__service_id"):
        services.setdefault(dispute_id, set()).add(service_id)
    moved_to, moved, heard = dict.fromkeys(("person", "merchant", "platform"), 0), 0, 0
    for key, code, bearer, answer_until in sample:
        dispute_services = services[key]
        liability = terms.liability_for(
            code or ANY_OTHER_CODE, public("svc", next(iter(dispute_services))) if len(dispute_services) == 1 else None
        )
        moved_to[liability.bearer] += liability.bearer != bearer
        moved += liability.bearer != bearer
        heard += liability.heard != (answer_until is not None)
    return DisputeTermsPreview(
        len(sample), moved, moved_to["person"], moved_to["merchant"], moved_to["platform"], heard
    )
