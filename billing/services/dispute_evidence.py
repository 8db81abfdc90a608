"""Evidence against disputes: from each merchant once, and from staff; it is sent to the channel."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing import rules
from billing.models import Dispute, DisputeAnswer
from billing.refusals import DisputeClosed, EvidenceInvalid
from billing.services.dispute_events import publish_dispute
from kernel.actor import Actor
from kernel.ids import public
from kernel.refusal import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A merchant's statement, and the parcel with which the goods were sent, if any."""

    statement: str
    communication: str = ""
    carrier: str = ""
    tracking_number: str = ""


@transaction.atomic
def submit_evidence(dispute_id: UUID, merchant_id: UUID, evidence: Evidence, *, by: Actor, at: datetime) -> Dispute:
    """Store a merchant's evidence. Once all merchants have answered, the dispute is contested. Idempotent.

    Raises:
        NotFound: there is no such dispute, or none of its orders is this merchant's.
        DisputeClosed: it is over, contested, past its deadline, or this merchant gave other evidence before.
        EvidenceInvalid: the statement is empty.
    """
    dispute = Dispute.objects.locked(dispute_id)
    merchant_ids = set(dispute.lines.values_list("merchant_id", flat=True))
    if merchant_id not in merchant_ids:
        raise NotFound
    fields = {name: text.strip() for name, text in asdict(evidence).items()}
    if not fields["statement"]:
        raise EvidenceInvalid
    answers = {row.merchant_id: row for row in dispute.answers.all()}
    existing = answers.get(merchant_id)
    if existing is not None and all(getattr(existing, name) == text for name, text in fields.items()):
        return dispute
    is_late = dispute.answer_until is None or at >= dispute.answer_until
    if existing is not None or is_late or dispute.state != Dispute.State.OPEN:
        raise DisputeClosed
    DisputeAnswer.objects.create(dispute=dispute, merchant_id=merchant_id, by=str(by), at=at, **fields)
    dispute.record("answered", by=by, at=at, merchant=public("mch", merchant_id))
    if {*answers, merchant_id} == merchant_ids:
        _contest(dispute, "", by=by, at=at)
    return dispute


@transaction.atomic
def contest_dispute(dispute_id: UUID, evidence: str, *, by: Actor, at: datetime) -> Dispute:
    """Contest a dispute with evidence from staff, added to the merchants'. The next job run sends it; it is final.

    Raises:
        NotFound: there is no such dispute.
        DisputeClosed: it is over, or contested already.
        EvidenceInvalid: the evidence is empty or too long.
    """
    dispute = Dispute.objects.locked(dispute_id)
    if dispute.state != Dispute.State.OPEN:
        raise DisputeClosed
    if not evidence.strip() or len(evidence) > rules.EVIDENCE_MAX:
        raise EvidenceInvalid
    _contest(dispute, evidence.strip(), by=by, at=at)
    return dispute


def contest_at_deadline(dispute: Dispute, *, by: Actor, at: datetime) -> bool:
    """At its deadline contest a dispute with the evidence there is. False if no merchant gave any."""
    if not dispute.answers.exists():
        return False
    _contest(dispute, "", by=by, at=at)
    return True


def evidence_text(dispute: Dispute) -> str:
    """The merchants' evidence as text for the channel, each under the merchant's id."""
    return "\n\n".join(_format_answer(row) for row in dispute.answers.all())


def _format_answer(row: DisputeAnswer) -> str:
    names = ("statement", "communication", "carrier", "tracking_number")
    lines = [f"{name}: {text}" for name in names if (text := getattr(row, name))]
    return "\n".join([public("mch", row.merchant_id), *lines])


def _contest(dispute: Dispute, platform_text: str, *, by: Actor, at: datetime) -> None:
    dispute.contest("\n\n".join(filter(None, [platform_text, evidence_text(dispute)])), at=at)
    dispute.record("contested", by=by, at=at)
    publish_dispute(dispute, "dispute.contested", at=at)
