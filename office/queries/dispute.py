"""One dispute with everything that it is decided by, in a number of questions that does not grow with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from billing.bearing import OTHERWISE, read_terms
from billing.models import Case, Dispute, DisputeAnswer, DisputeEvent, DisputeLine, DisputePolicy
from kernel.ids import public
from ledger.models import Posting
from merchants.models import Service
from office.queries.story import SHOWN_MAX, Step, life_of

#: Why who bears it bears it.
POLICY, SERVICE, COLLEAGUE, NOBODY, OURS = "policy", "service", "colleague", "nobody", "ours"


@dataclass(frozen=True, slots=True)
class Borne:
    """Who bears it if it is lost, or does; by what that is so, and the version of the policy that counted."""

    bearer: str
    by: str
    version: int | None
    #: The colleague's line of history that named them.
    line: DisputeEvent | None = None


@dataclass(frozen=True, slots=True)
class DisputeStory:
    """A dispute and all that belongs to it, each in the order in which it happened."""

    dispute: Dispute
    life: tuple[Step, ...]
    lines: Sequence[DisputeLine]
    answers: Sequence[DisputeAnswer]
    #: Merchants it is about who have not said anything.
    silent: Sequence[str]
    borne: Borne
    history: Sequence[DisputeEvent]
    postings: Sequence[Posting]
    cases: Sequence[Case]
    #: What the channel took back of the same debit at other times.
    others: Sequence[Dispute]


def story_of(dispute_id: UUID) -> DisputeStory | None:
    """The dispute's story; None where there is no such dispute."""
    rows = Dispute.objects.select_related("realm", "person__user", "deduction__instrument")
    dispute = rows.filter(pk=dispute_id).first()
    if dispute is None:
        return None
    lines = list(dispute.lines.select_related("order__service", "merchant", "taken__obligation")[:SHOWN_MAX])
    answers = list(dispute.answers.select_related("merchant")[:SHOWN_MAX])
    history = list(dispute.history.order_by("seq")[:SHOWN_MAX])
    said = {row.merchant_id for row in answers}
    causes = [dispute.id, *(line.id for line in lines)]
    return DisputeStory(
        dispute=dispute,
        life=life_of(dispute, history),
        lines=lines,
        answers=answers,
        silent=list(dict.fromkeys(line.merchant.name for line in lines if line.merchant_id not in said)),
        borne=_borne(dispute, lines, history),
        history=history,
        postings=list(Posting.objects.filter(cause_id__in=causes).order_by("id")[:SHOWN_MAX]),
        cases=list(dispute.deduction.cases.order_by("id")[:SHOWN_MAX]),
        others=list(dispute.deduction.disputes.filter(~Q(pk=dispute.id)).order_by("id")[:SHOWN_MAX]),
    )


def _borne(dispute: Dispute, lines: Sequence[DisputeLine], history: Sequence[DisputeEvent]) -> Borne:
    """A colleague's word counts before the policy, and that whoever was meant cannot bear it before both."""
    version = next((line.data["policy"] for line in reversed(history) if "policy" in line.data), None)
    named = next((line for line in reversed(history) if line.kind == "bearer_named"), None)
    policy = DisputePolicy.objects.filter(version=version).first() if version else None
    services = {line.order.service for line in lines}
    meant, by = _by_policy(dispute, services, policy.terms) if policy else (dispute.bearer, POLICY)
    if named is not None:
        meant, by = named.data["bearer"], COLLEAGUE
    if dispute.bearer != meant:
        by = OURS if meant == Dispute.Bearer.MERCHANT else NOBODY
    return Borne(dispute.bearer, by, version, named if by == COLLEAGUE else None)


def _by_policy(dispute: Dispute, services: set[Service], kept: Mapping[str, Any]) -> tuple[str, str]:
    """Who bears it by these terms, and whether that is the service's own exception."""
    terms = read_terms(kept)
    one = public(Service.prefix, next(iter(services)).id) if len(services) == 1 else None
    plain = terms.words.get(dispute.code, terms.words[OTHERWISE]).bearer
    bearer = terms.of(dispute.code, one).bearer
    own = any(each.service == one and bearer == each.bearer for each in terms.exceptions) and one is not None
    return bearer, SERVICE if own and bearer != plain else POLICY
