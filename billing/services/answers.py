"""What is said against what a channel took back: by each merchant once, or by a colleague. The channel hears it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing import rules
from billing.models import Dispute, DisputeAnswer
from billing.refusals import DisputeClosed, EvidenceInvalid
from billing.services.dispute_news import publish_dispute
from kernel.actor import Actor
from kernel.ids import public
from kernel.refusal import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a merchant has to say, and by which parcel the goods came, if by one."""

    statement: str
    communication: str = ""
    carrier: str = ""
    tracking_number: str = ""


@transaction.atomic
def answer_dispute(dispute_id: UUID, merchant_id: UUID, told: Evidence, *, by: Actor, at: datetime) -> Dispute:
    """A merchant answers for their orders. When all have, it goes to the channel. The same again is nothing.

    Raises:
        NotFound: there is no such dispute, or none of its orders is this merchant's.
        DisputeClosed: it is over, at the channel, past its deadline, or was answered otherwise by this merchant.
        EvidenceInvalid: it says nothing.
    """
    dispute = Dispute.objects.locked(dispute_id)
    parties = set(dispute.lines.values_list("merchant_id", flat=True))
    if merchant_id not in parties:
        raise NotFound
    said = {name: text.strip() for name, text in asdict(told).items()}
    if not said["statement"]:
        raise EvidenceInvalid
    answers = {row.merchant_id: row for row in dispute.answers.all()}
    known = answers.get(merchant_id)
    if known is not None and all(getattr(known, name) == text for name, text in said.items()):
        return dispute
    late = dispute.answer_until is None or at >= dispute.answer_until
    if known is not None or late or dispute.state != Dispute.State.OPEN:
        raise DisputeClosed
    DisputeAnswer.objects.create(dispute=dispute, merchant_id=merchant_id, by=str(by), at=at, **said)
    dispute.record("answered", by=by, at=at, merchant=public("mch", merchant_id))
    if {*answers, merchant_id} == parties:
        _contest(dispute, "", by=by, at=at)
    return dispute


@transaction.atomic
def contest_dispute(dispute_id: UUID, evidence: str, *, by: Actor, at: datetime) -> Dispute:
    """We say this against it, beside what merchants said. The next ring sends it; nobody can take it back.

    Raises:
        NotFound: there is no such dispute.
        DisputeClosed: it is over, or was answered already.
        EvidenceInvalid: it says nothing, or too much.
    """
    dispute = Dispute.objects.locked(dispute_id)
    if dispute.state != Dispute.State.OPEN:
        raise DisputeClosed
    if not evidence.strip() or len(evidence) > rules.EVIDENCE_MAX:
        raise EvidenceInvalid
    _contest(dispute, evidence.strip(), by=by, at=at)
    return dispute


def contest_answered(dispute: Dispute, *, by: Actor, at: datetime) -> bool:
    """At its deadline what some of the merchants said goes to the channel. Whether any of them said anything."""
    if not dispute.answers.exists():
        return False
    _contest(dispute, "", by=by, at=at)
    return True


def said_of(dispute: Dispute) -> str:
    """What the merchants said, each under their number, as a channel reads it."""
    return "\n\n".join(_as_text(row) for row in dispute.answers.all())


def _as_text(row: DisputeAnswer) -> str:
    names = ("statement", "communication", "carrier", "tracking_number")
    told = [f"{name}: {text}" for name in names if (text := getattr(row, name))]
    return "\n".join([public("mch", row.merchant_id), *told])


def _contest(dispute: Dispute, ours: str, *, by: Actor, at: datetime) -> None:
    dispute.contest("\n\n".join(filter(None, [ours, said_of(dispute)])), at=at)
    dispute.record("contested", by=by, at=at)
    publish_dispute(dispute, "dispute.contested", at=at)
