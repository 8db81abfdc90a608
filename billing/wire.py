"""API representations of refunds, settlements and disputes."""

from typing import Literal

from billing.dispute_queries import MerchantDispute
from billing.models import DisputeAnswer, Refund, RefundPart, Settlement
from billing.settlement_proofs import ProvedLine
from billing.settlement_queries import Line
from kernel.ids import public
from kernel.models import LIVE
from kernel.wire import Moment, Wire
from ledger.merkle import ProofStep
from ledger.models import ClosedDay


class RefundPartOut(Wire):
    """Money on its way back, by the deduction it was taken with."""

    id: str
    deduction: str
    amount: int
    state: str
    failure_code: str
    resolved_at: Moment | None


class RefundOut(Wire):
    """A refund: what is no longer owed because of it, and what went back."""

    id: str
    object: Literal["refund"]
    livemode: bool
    state: str
    order: str
    out_refund_no: str | None
    currency: str
    amount: int
    lowered: int
    returned: int
    advanced: bool
    reason: str
    parts: list[RefundPartOut]
    created_at: Moment
    resolved_at: Moment | None


def refund_out(refund: Refund) -> RefundOut:
    return RefundOut(
        id=refund.public_id,
        object="refund",
        livemode=refund.realm_id == LIVE,
        state=refund.state,
        order=public("ord", refund.order_id),
        out_refund_no=refund.out_refund_no,
        currency=refund.currency,
        amount=refund.amount_minor,
        lowered=refund.lowered_minor,
        returned=refund.returned_minor,
        advanced=refund.advanced,
        reason=refund.reason,
        parts=[_part_out(part) for part in refund.parts.all()],
        created_at=refund.created_at,
        resolved_at=refund.resolved_at,
    )


def _part_out(part: RefundPart) -> RefundPartOut:
    return RefundPartOut(
        id=part.public_id,
        deduction=public("ded", part.taken.deduction_id),
        amount=part.amount_minor,
        state=part.state,
        failure_code=part.failure_code,
        resolved_at=part.resolved_at,
    )


class SettlementOut(Wire):
    """What a merchant is paid for a period, and what it is made of: its parts, signed, add up to `net`."""

    id: str
    object: Literal["settlement"]
    livemode: bool
    state: str
    currency: str
    period_start: Moment
    period_end: Moment
    gross: int
    fees: int
    refunds: int
    adjustments: int
    reserve: int
    carried: int
    net: int
    lines: int
    created_at: Moment
    paid_at: Moment | None


class SettlementLineOut(Wire):
    """One posting of what a merchant is owed, in the one settlement it is in for ever; or a net carried over."""

    id: str
    object: Literal["settlement_line"]
    kind: str
    order: str | None
    out_order_no: str | None
    amount: int
    currency: str
    posting: str | None
    settlement: str | None
    at: Moment


def settlement_out(row: Settlement) -> SettlementOut:
    return SettlementOut(
        id=row.public_id,
        object="settlement",
        livemode=row.realm_id == LIVE,
        state=row.state,
        currency=row.currency,
        period_start=row.period_from,
        period_end=row.period_until,
        gross=row.gross_minor,
        fees=row.fees_minor,
        refunds=row.refunds_minor,
        adjustments=row.adjustments_minor,
        reserve=row.reserve_minor,
        carried=row.carried_minor,
        net=row.net_minor,
        lines=row.lines_count,
        created_at=row.created_at,
        paid_at=row.paid_at,
    )


def settlement_line_out(line: Line, currency: str) -> SettlementLineOut:
    row = line.row
    return SettlementLineOut(
        id=row.public_id,
        object="settlement_line",
        kind=row.kind,
        order=public("ord", row.order_id) if row.order_id else None,
        out_order_no=line.order.out_order_no if line.order else None,
        amount=row.amount_minor,
        currency=currency,
        posting=public("pst", row.posting_id) if row.posting_id else None,
        settlement=public("stl", row.earlier_id) if row.earlier_id else None,
        at=row.at,
    )


class ProofStepOut(Wire):
    """A node on the way from a posting to its day's top, and the side on which it stands."""

    side: Literal["left", "right"]
    hash: str


class ProvedLineOut(Wire):
    """A line of the settlement with its posting as it was hashed, and the way to its closed day's top."""

    id: str
    amount: int
    posting: str | None
    day: str | None
    path: list[ProofStepOut]


class ClosedDayOut(Wire):
    """A closed ledger day: final, with a digest that includes the previous day's."""

    day: str
    postings: int
    top: str
    previous: str
    digest: str


def proved_line_out(line: ProvedLine) -> ProvedLineOut:
    place = line.place
    return ProvedLineOut(
        id=line.row.public_id,
        amount=line.row.amount_minor,
        posting=place.line if place else None,
        day=place.day.covers_on.isoformat() if place else None,
        path=[_step_out(step) for step in place.steps] if place else [],
    )


def closed_day_out(day: ClosedDay) -> ClosedDayOut:
    return ClosedDayOut(
        day=day.covers_on.isoformat(),
        postings=day.postings,
        top=day.top,
        previous=day.previous,
        digest=day.digest,
    )


def _step_out(step: ProofStep) -> ProofStepOut:
    return ProofStepOut(side="left" if step.side == "left" else "right", hash=step.node.hex())


class DisputedOut(Wire):
    """One of your orders and its disputed amount."""

    order: str
    amount: int


class EvidenceOut(Wire):
    """The evidence you submitted."""

    statement: str
    communication: str
    carrier: str
    tracking_number: str
    at: Moment


class DisputeOut(Wire):
    """A deduction returned by a channel, as far as it concerns your orders: reason, liability and deadline."""

    id: str
    object: Literal["dispute"]
    livemode: bool
    state: str
    code: str
    bearer: str
    deduction: str
    currency: str
    amount: int
    orders: list[DisputedOut]
    evidence: EvidenceOut | None
    opened_at: Moment
    answer_until: Moment | None
    resolved_at: Moment | None


def dispute_out(part: MerchantDispute) -> DisputeOut:
    row = part.dispute
    return DisputeOut(
        id=row.public_id,
        object="dispute",
        livemode=row.realm_id == LIVE,
        state=row.state,
        code=row.code,
        bearer=part.bearer,
        deduction=public("ded", row.deduction_id),
        currency=row.currency,
        amount=part.amount.minor,
        orders=[DisputedOut(order=share.order.public_id, amount=share.amount_minor) for share in part.shares],
        evidence=_evidence_out(part.answer) if part.answer else None,
        opened_at=row.opened_at,
        answer_until=row.answer_until,
        resolved_at=row.resolved_at,
    )


def _evidence_out(row: DisputeAnswer) -> EvidenceOut:
    return EvidenceOut(
        statement=row.statement,
        communication=row.communication,
        carrier=row.carrier,
        tracking_number=row.tracking_number,
        at=row.at,
    )
