"""Whether the money of a statement discrepancy is in the ledger already: booked, in a case, or by another break."""

from django.db.models import Q, QuerySet

from billing.models import Break, Case, Deduction, Dispute, RefundPart, StatementLine
from billing.services.deduction_outcomes import SUSPENSE_KINDS
from billing.services.refund_outcomes import REFUNDED_AFTER_FAILURE
from billing.services.stray_chargebacks import STRAY_KINDS
from billing.services.suspense import missing_breaks_of, still_in_suspense

OwnMovement = Deduction | RefundPart
#: Kinds of cases whose money the resolver has put into suspense itself.
SUSPENSE_CASE_KINDS = (*SUSPENSE_KINDS, *STRAY_KINDS, "refunded_twice", REFUNDED_AFTER_FAILURE)
#: The case of a refund that the channel reports as declined after all, and the resolutions that pay the person.
NOT_REFUNDED, PAID_TO_PERSON = "declined_after_refund", (Case.Resolution.WALLET, Case.Resolution.BY_HAND)


def is_booked(row: Break, ours: OwnMovement | None) -> bool:
    """Whether our records now match exactly what the channel's line says."""
    line = row.line
    if line is not None and line.kind == "return":
        match = {"channel_txn": line.channel_txn, "amount_minor": row.theirs_minor, "currency": row.theirs_currency}
        return Dispute.objects.filter(channel=row.channel, **match).exists()
    if line is None or line.status != "success" or row.kind == Break.Kind.DUPLICATE:
        return False
    if ours is None:
        return _is_unknown_line_booked(row, line)
    return ours.state == "succeeded" and (ours.channel_txn, ours.amount) == (line.channel_txn, row.theirs)


def is_booked_elsewhere(row: Break, ours: OwnMovement | None) -> bool:
    """Whether the money that resolving the break would move was moved for another reason, and is still there."""
    return _is_booked_by_case(row) or _is_removed_already(row, ours) or _is_placed_already(row)


def matching_breaks(row: Break) -> "QuerySet[Break]":
    """The breaks of equal lines in files of the same day and in damaged files, including this one.

    A second line for one movement is another discrepancy than the first.
    """
    line, again = row.line, Q(kind=Break.Kind.DUPLICATE)
    if line is None or not line.channel_txn:
        return Break.objects.filter(pk=row.pk)
    same = Break.objects.filter(realm_id=row.realm_id, channel=row.channel, **_line_fields(line, "line__"))
    same = same.filter(again if row.kind == Break.Kind.DUPLICATE else ~again)
    of_day = Q(statement__covers_on=row.statement.covers_on) | ~Q(statement__trouble="")
    return same if row.statement.trouble else same.filter(of_day | Q(pk=row.pk))


def _line_fields(line: StatementLine, prefix: str = "") -> dict[str, object]:
    names = ("kind", "channel_txn", "number", "amount_minor", "currency", "status")
    return {f"{prefix}{name}": getattr(line, name) for name in names}


def _is_unknown_line_booked(row: Break, line: StatementLine) -> bool:
    """Whether a line that matched nothing at import is a movement of ours by now.

    A channel may use one number for several refunds: those are told apart by their amount.
    """
    same = {"realm_id": row.realm_id, "channel": row.channel, "channel_txn": line.channel_txn, "state": "succeeded"}
    if line.kind == "debit":
        return Deduction.objects.filter(**same).exists()
    return any(part.amount == row.theirs for part in RefundPart.objects.filter(**same))


def _is_booked_by_case(row: Break) -> bool:
    line = row.line
    if line is None or not line.channel_txn:
        return False
    cases = Case.objects.filter(realm_id=row.realm_id, kind__in=SUSPENSE_CASE_KINDS, detail__txn=line.channel_txn)
    if row.deduction_id:
        return cases.filter(deduction_id=row.deduction_id).exists()
    if row.refund_part_id:
        return cases.filter(refund_part_id=row.refund_part_id).exists()
    if line.kind == "refund":
        return cases.filter(refund_part__channel=row.channel, detail__amount=line.amount_minor).exists()
    kinds = STRAY_KINDS if line.kind == "return" else SUSPENSE_KINDS
    return cases.filter(deduction__channel=row.channel, kind__in=kinds).exists()


def _is_removed_already(row: Break, ours: OwnMovement | None) -> bool:
    """Whether the full amount has left the channel's account in the ledger already, and has not come back.

    By another break; by a dispute, which implies that the debit was there; or by a case in which staff paid the
    person what the channel says it never refunded. A movement that came with another amount is no such break: suspense
    releases ours once the file that has it is read.
    """
    if row.kind not in Break.NOT_AT_CHANNEL or ours is None:
        return False
    if still_in_suspense(missing_breaks_of(ours).exclude(pk=row.pk)).exists():
        return True
    if isinstance(ours, Deduction):
        return ours.disputes.exclude(state=Dispute.State.WON).exists()
    return ours.cases.filter(kind=NOT_REFUNDED, resolution__in=PAID_TO_PERSON).exists()


def _is_placed_already(row: Break) -> bool:
    """Whether there are as many breaks of equal lines in suspense as there are such lines in its file."""
    if row.line is None:
        return False
    lines = StatementLine.objects.filter(statement=row.statement_id, **_line_fields(row.line))
    again = Q(verdict=StatementLine.Verdict.DUPLICATE)
    lines = lines.filter(again if row.kind == Break.Kind.DUPLICATE else ~again)
    return still_in_suspense(matching_breaks(row)).count() >= lines.count()
