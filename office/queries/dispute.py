"""One dispute with everything needed to decide it, in a fixed number of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from billing.dispute_terms import ANY_OTHER_CODE, parse_terms
from billing.models import Case, Dispute, DisputeAnswer, DisputeEvent, DisputeLine, DisputePolicy
from kernel.ids import public
from ledger.models import Posting
from merchants.models import Service
from office.queries.order import SHOWN_MAX, LifecycleStep, lifecycle_of

#: Why a party is liable.
POLICY, SERVICE, COLLEAGUE, UNRECOVERABLE, NO_PRINCIPAL = "policy", "service", "colleague", "nobody", "ours"


@dataclass(frozen=True, slots=True)
class Liability:
    """Who is liable if the dispute is lost, on which basis, and the policy version that applied."""

    party: str
    basis: str
    policy_version: int | None
    #: The history event in which a colleague set the party.
    set_by: DisputeEvent | None = None


@dataclass(frozen=True, slots=True)
class DisputeDetail:
    """A dispute and all that belongs to it, in chronological order."""

    dispute: Dispute
    lifecycle: tuple[LifecycleStep, ...]
    lines: Sequence[DisputeLine]
    answers: Sequence[DisputeAnswer]
    #: Names of merchants in the dispute that have not answered.
    unanswered_by: Sequence[str]
    liability: Liability
    history: Sequence[DisputeEvent]
    postings: Sequence[Posting]
    cases: Sequence[Case]
    #: Other disputes of the same deduction.
    other_disputes: Sequence[Dispute]


def dispute_detail(dispute_id: UUID) -> DisputeDetail | None:
    """The dispute's detail; None if there is no such dispute."""
    rows = Dispute.objects.select_related("realm", "person__user", "deduction__instrument")
    dispute = rows.filter(pk=dispute_id).first()
    if dispute is None:
        return None
    lines = list(dispute.lines.select_related("order__service", "merchant", "taken__obligation")[:SHOWN_MAX])
    answers = list(dispute.answers.select_related("merchant")[:SHOWN_MAX])
    history = list(dispute.history.order_by("seq")[:SHOWN_MAX])
    answered = {row.merchant_id for row in answers}
    cause_ids = [dispute.id, *(line.id for line in lines)]
    return DisputeDetail(
        dispute=dispute,
        lifecycle=lifecycle_of(dispute, history),
        lines=lines,
        answers=answers,
        unanswered_by=list(dict.fromkeys(line.merchant.name for line in lines if line.merchant_id not in answered)),
        liability=_liability(dispute, lines, history),
        history=history,
        postings=list(Posting.objects.filter(cause_id__in=cause_ids).order_by("id")[:SHOWN_MAX]),
        cases=list(dispute.deduction.cases.order_by("id")[:SHOWN_MAX]),
        other_disputes=list(dispute.deduction.disputes.filter(~Q(pk=dispute.id)).order_by("id")[:SHOWN_MAX]),
    )


def _liability(dispute: Dispute, lines: Sequence[DisputeLine], history: Sequence[DisputeEvent]) -> Liability:
    """A colleague's choice overrides the policy; that the chosen party cannot be liable overrides both."""
    version = next((line.data["policy"] for line in reversed(history) if "policy" in line.data), None)
    override = next((line for line in reversed(history) if line.kind == "bearer_named"), None)
    policy = DisputePolicy.objects.filter(version=version).first() if version else None
    services = {line.order.service for line in lines}
    party, basis = _liable_by_policy(dispute, services, policy.terms) if policy else (dispute.bearer, POLICY)
    if override is not None:
        party, basis = override.data["bearer"], COLLEAGUE
    if dispute.bearer != party:
        basis = NO_PRINCIPAL if party == Dispute.Bearer.MERCHANT else UNRECOVERABLE
    return Liability(dispute.bearer, basis, version, override if basis == COLLEAGUE else None)


def _liable_by_policy(dispute: Dispute, services: set[Service], stored_terms: Mapping[str, Any]) -> tuple[str, str]:
    """The liable party under these terms, and whether it comes from an exception for the service."""
    terms = parse_terms(stored_terms)
    service_id = public(Service.prefix, next(iter(services)).id) if len(services) == 1 else None
    default_party = terms.by_code.get(dispute.code, terms.by_code[ANY_OTHER_CODE]).bearer
    party = terms.liability_for(dispute.code, service_id).bearer
    is_exception = (
        any(each.service == service_id and party == each.bearer for each in terms.exceptions) and service_id is not None
    )
    return party, SERVICE if is_exception and party != default_party else POLICY
