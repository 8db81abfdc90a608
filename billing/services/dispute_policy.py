"""Who bears what channels take back is a policy: what other terms would have changed, and whether they may count."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing.bearing import ANSWER_DAYS_MAX, OTHERWISE, read_terms, wrong_in
from billing.models import Dispute, DisputeLine
from kernel.ids import parse, public
from kernel.models import LIVE
from kernel.refusal import FieldError, Invalid
from kernel.versions import wrong_reason
from merchants.models import Service

#: So many disputes of so many days are looked at, the newest first.
SAMPLE_MAX, LOOKED_BACK = 2_000, timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Borne:
    """Of so many disputes, how many would have another bearer, and which; and how many would be heard otherwise."""

    looked_at: int
    moved: int
    person: int
    merchant: int
    platform: int
    heard: int


def judge_dispute_terms(plain: Mapping[str, Any], reason: str) -> None:
    """Whether these terms could be published.

    Raises:
        Invalid: they could not; `errors` says what is wrong.
    """
    terms = read_terms(plain)
    says = {
        "answer_days": format_lazy(_("Whole numbers from {low} to {high}."), low=1, high=ANSWER_DAYS_MAX),
        "exceptions": _("List each service and reason only once, with who bears it."),
    }
    errors = [FieldError(f"/{name}", says.get(name, _("Choose who bears it."))) for name in wrong_in(terms)]
    named = {one.service for one in terms.exceptions}
    keys = [key for one in named if (key := parse("svc", one)) is not None]
    if Service.objects.filter(pk__in=keys).count() != len(named):
        errors.append(FieldError("/exceptions", _("No such service.")))
    errors += wrong_reason(reason)
    if errors:
        raise Invalid(errors=errors)


def foresee_bearers(plain: Mapping[str, Any], *, at: datetime) -> Borne:
    """What these terms would have meant for the live world's disputes of the last ninety days."""
    terms = read_terms(plain)
    rows = Dispute.objects.filter(realm_id=LIVE, opened_at__gte=at - LOOKED_BACK).order_by("-id")
    looked = list(rows.values_list("id", "code", "bearer", "answer_until")[:SAMPLE_MAX])
    services: dict[UUID, set[UUID]] = {}
    of_them = DisputeLine.objects.filter(dispute__in=[row[0] for row in looked])
    for dispute_id, service_id in of_them.values_list("dispute_id", "order__service_id"):
        services.setdefault(dispute_id, set()).add(service_id)
    would, moved, heard = dict.fromkeys(("person", "merchant", "platform"), 0), 0, 0
    for key, code, bearer, answer_until in looked:
        of = services[key]
        bearing = terms.of(code or OTHERWISE, public("svc", next(iter(of))) if len(of) == 1 else None)
        would[bearing.bearer] += bearing.bearer != bearer
        moved += bearing.bearer != bearer
        heard += bearing.heard != (answer_until is not None)
    return Borne(len(looked), moved, would["person"], would["merchant"], would["platform"], heard)
