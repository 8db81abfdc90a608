"""Whether the money of a statement's difference stands in the book already: booked, in a case, or by another break."""

from django.db.models import Q, QuerySet

from billing.models import Break, Case, Deduction, Dispute, RefundPart, StatementLine
from billing.services.out_of_suspense import missing_of, still_in
from billing.services.settle import PLACED
from billing.services.settle_parts import AFTER_ALL
from billing.services.stray_returns import STRAYS

Ours = Deduction | RefundPart
#: Cases whose money the resolver has put into suspense by itself.
IN_SUSPENSE = (*PLACED, *STRAYS, "refunded_twice", AFTER_ALL)
#: The case of a refund that its channel says it never gave back, and the ends by which it is the person's again.
NEVER_WENT, GIVEN = "declined_after_refund", (Case.Resolution.WALLET, Case.Resolution.BY_HAND)


def is_booked(row: Break, ours: Ours | None) -> bool:
    """Whether our books hold by now exactly what the channel's line says."""
    line = row.line
    if line is not None and line.kind == "return":
        said = {"channel_txn": line.channel_txn, "amount_minor": row.theirs_minor, "currency": row.theirs_currency}
        return Dispute.objects.filter(channel=row.channel, **said).exists()
    if line is None or line.status != "success" or row.kind == Break.Kind.DUPLICATE:
        return False
    if ours is None:
        return _nobodys_is_booked(row, line)
    return ours.state == "succeeded" and (ours.channel_txn, ours.amount) == (line.channel_txn, row.theirs)


def stands_elsewhere(row: Break, ours: Ours | None) -> bool:
    """Whether what placing it would move has been moved for another reason, and stands so still."""
    return _stands_by_case(row) or _is_gone_already(row, ours) or _is_placed_already(row)


def copies_of(row: Break) -> "QuerySet[Break]":
    """The differences that files of its day, or files that are not whole, found in lines that say the same as its own.

    Itself among them. A second line for one movement is another difference than the first.
    """
    line, again = row.line, Q(kind=Break.Kind.DUPLICATE)
    if line is None or not line.channel_txn:
        return Break.objects.filter(pk=row.pk)
    same = Break.objects.filter(realm_id=row.realm_id, channel=row.channel, **_words(line, "line__"))
    same = same.filter(again if row.kind == Break.Kind.DUPLICATE else ~again)
    of_day = Q(statement__covers_on=row.statement.covers_on) | ~Q(statement__trouble="")
    return same if row.statement.trouble else same.filter(of_day | Q(pk=row.pk))


def _words(line: StatementLine, prefix: str = "") -> dict[str, object]:
    names = ("kind", "channel_txn", "number", "amount_minor", "currency", "status")
    return {f"{prefix}{name}": getattr(line, name) for name in names}


def _nobodys_is_booked(row: Break, line: StatementLine) -> bool:
    """Whether what was nobody's when the file came has become a movement of ours since.

    Of what goes back a channel may use one number for several: those are told apart by their amount.
    """
    same = {"realm_id": row.realm_id, "channel": row.channel, "channel_txn": line.channel_txn, "state": "succeeded"}
    if line.kind == "debit":
        return Deduction.objects.filter(**same).exists()
    return any(part.amount == row.theirs for part in RefundPart.objects.filter(**same))


def _stands_by_case(row: Break) -> bool:
    line = row.line
    if line is None or not line.channel_txn:
        return False
    cases = Case.objects.filter(realm_id=row.realm_id, kind__in=IN_SUSPENSE, detail__txn=line.channel_txn)
    if row.deduction_id:
        return cases.filter(deduction_id=row.deduction_id).exists()
    if row.refund_part_id:
        return cases.filter(refund_part_id=row.refund_part_id).exists()
    if line.kind == "refund":
        return cases.filter(refund_part__channel=row.channel, detail__amount=line.amount_minor).exists()
    kinds = STRAYS if line.kind == "return" else PLACED
    return cases.filter(deduction__channel=row.channel, kind__in=kinds).exists()


def _is_gone_already(row: Break, ours: Ours | None) -> bool:
    """Whether all of ours is out of the channel's account already, and has not come back.

    By another break on it; by a dispute, for who takes a debit back says that it was there; or by a case, where
    colleagues gave the person what the channel says that it never gave back. What did come, if not as much, is no such
    break: suspense gives ours up when the file that has it has been read.
    """
    if row.kind not in Break.GONE or ours is None:
        return False
    if still_in(missing_of(ours).exclude(pk=row.pk)).exists():
        return True
    if isinstance(ours, Deduction):
        return ours.disputes.exclude(state=Dispute.State.WON).exists()
    return ours.cases.filter(kind=NEVER_WENT, resolution__in=GIVEN).exists()


def _is_placed_already(row: Break) -> bool:
    """Whether so many lines of its file say this, and so many such differences stand in suspense."""
    if row.line is None:
        return False
    lines = StatementLine.objects.filter(statement=row.statement_id, **_words(row.line))
    again = Q(verdict=StatementLine.Verdict.DUPLICATE)
    lines = lines.filter(again if row.kind == Break.Kind.DUPLICATE else ~again)
    return still_in(copies_of(row)).count() >= lines.count()
