"""The one resolver: whatever a channel says, by answer, query or callback, becomes true here and only here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from billing import rules
from billing.channels import Absent, Answer, Closed, Declined, Lost, Taken
from billing.models import Case, ChannelReport, Deduction, DeductionLine, Instrument
from billing.planning import Kind
from billing.services import tell
from billing.services.out_of_suspense import Booked, explain, let_out
from billing.services.plan import after_failure
from kernel.actor import Actor
from kernel.ids import public
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.prepared import Reading
from kernel.sweeps import by_halves, raise_last
from kernel.writes import insert_all
from ledger import rules as book
from ledger import services as ledger
from merchants.services import News, publish
from orders import services as orders
from orders.models import Order

#: Of a case: nobody could say for days how a deduction ended.
TOO_LONG = "unknown_too_long"
#: Of cases whose money stands in suspense, once for each transaction of the channel.
WRONG_AMOUNT, AFTER_FAILURE, TWICE = PLACED = ("wrong_amount", "taken_after_failure", "taken_twice")
OUTCOMES = {Taken: "taken", Declined: "declined", Lost: "lost", Absent: "absent", Closed: "closed"}


_LINES = Reading(
    lambda keys: (
        DeductionLine.objects.filter(deduction_id__any=keys)
        .select_related("obligation__person", "order__service", "order__merchant")
        .order_by("id")
    ),
    ["uuid[]"],
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was heard about a deduction, and how: `sync`, `query` or `callback`."""

    deduction_id: UUID
    answer: Answer
    source: str


def settle_all(reports: Sequence[Report], *, by: Actor, at: datetime) -> None:
    """Make true what the channels said: all of it together, or else what can be.

    Each kind of outcome has a transaction of its own: what was taken reaches down to credit and the book, and what was
    not would then lock obligations again, from below.

    Raises:
        Exception: the last of those that could not be settled even alone; they stay unknown and are asked about.
    """
    failures = list[Exception]()
    for kind in (Taken, Declined, Lost | Absent | Closed):
        alike = [report for report in reports if isinstance(report.answer, kind)]
        failures += by_halves(alike, partial(_settle, by=by, at=at), told="not_settled")
    raise_last(failures)


@transaction.atomic
def _settle(reports: Sequence[Report], *, by: Actor, at: datetime) -> None:
    heard = {report.deduction_id: report for report in reports}
    rows = Deduction.objects.locked_all(heard)
    insert_all([_evidence(row, heard[row.id], at=at) for row in rows])
    open_rows, right = [], []
    for row in rows:
        answer = heard[row.id].answer
        if row.state not in (Deduction.State.SENT, Deduction.State.UNKNOWN):
            _contradicts(row, answer, at=at)
            continue
        open_rows.append(row)
        if isinstance(answer, Taken) and answer.amount == row.amount:
            right.append(row)
        elif isinstance(answer, Taken):
            _to_suspense(row, answer, WRONG_AMOUNT, at=at)
    _succeed(right, heard, by=by, at=at)
    _fail([row for row in open_rows if isinstance(heard[row.id].answer, Declined)], heard, by=by, at=at)
    doubtful = [row for row in open_rows if isinstance(heard[row.id].answer, Lost | Absent | Closed)]
    _doubt(doubtful, heard, by=by, at=at)


def _succeed(rows: Sequence[Deduction], heard: dict[UUID, Report], *, by: Actor, at: datetime) -> None:
    """The money is there: book it, and free what was claimed."""
    if not rows:
        return
    for row in rows:
        answer = heard[row.id].answer
        if isinstance(answer, Taken):
            row.succeed(answer.txn, at=at)
    _known_at_last(rows, at=at)
    _stand_nowhere_else(rows, at=at)
    record_all(rows, "succeeded", by=by, at=at, data=[{"source": heard[row.id].source} for row in rows])
    lines = _release_lines(rows)
    payments = [
        orders.Payment(
            line.obligation_id,
            Money(line.amount_minor, line.deduction.currency),
            line.id,
            book.clearing(line.deduction.channel),
        )
        for line in lines
    ]
    orders.receive(payments, by=by, at=at)
    publish([_news(line, "deduction.succeeded") for line in lines], realm_id=rows[0].realm_id, at=at)
    tell.succeeded(lines, at=at)


def _stand_nowhere_else(rows: Sequence[Deduction], *, at: datetime) -> None:
    """What suspense held of these movements, by a break or with another amount by a case, is booked now as asked."""
    let_out([Booked(row, "debit", row.channel_txn or "", row.amount) for row in rows], at=at)
    said = {(row.id, row.channel_txn) for row in rows}
    cases = Case.objects.filter(kind__in=PLACED, closed_at=None, deduction__in=rows)
    same = [case.pk for case in cases if (case.deduction_id, case.detail.get("txn")) in said]
    if same:
        explain(Case.objects.filter(pk__in=same), realm_id=rows[0].realm_id, at=at)


def _fail(rows: Sequence[Deduction], heard: dict[UUID, Report], *, by: Actor, at: datetime) -> None:
    """The channel is sure that nothing was taken: say why, and plan what may follow."""
    if not rows:
        return
    for row in rows:
        answer = heard[row.id].answer
        if isinstance(answer, Declined):
            row.fail(answer.code, answer.kind, at=at)
    for row in (row for row in rows if row.failure_class == Kind.HARD):
        dead = Instrument.objects.filter(pk=row.instrument_id)
        dead.update(state=Instrument.State.DEAD, dead_because=row.failure_code)
    record_all(rows, "failed", by=by, at=at, data=[{"code": row.failure_code} for row in rows])
    _free(rows, at=at)


def _doubt(rows: Sequence[Deduction], heard: dict[UUID, Report], *, by: Actor, at: datetime) -> None:
    """Nobody knows yet: ask again later. Only a number that is closed at the channel was never sent."""
    lost = [row for row in rows if row.state == Deduction.State.SENT]
    for row in lost:
        row.lose(ask_at=rules.next_ask(row.asks, at=at))
    record_all(lost, "unknown", by=by, at=at)
    gone = [row for row in rows if isinstance(heard[row.id].answer, Closed)]
    _wonder([row for row in rows if row not in gone and rules.too_long(row.sent_at, at=at)], at=at)
    for row in gone:
        row.never_sent(at=at)
    record_all(gone, "not_sent", by=by, at=at)
    if gone:
        _free(gone, at=at)


def _wonder(rows: Sequence[Deduction], *, at: datetime) -> None:
    """Nobody has known for days: it is asked on, and a person should look, once for each."""
    if not rows:
        return
    known = set(Case.objects.filter(kind=TOO_LONG, deduction__in=rows).values_list("deduction_id", flat=True))
    for row in rows:
        if row.id not in known:
            _open_case(row, TOO_LONG, {"asks": row.asks}, at=at)


def _known_at_last(rows: Sequence[Deduction], *, at: datetime) -> None:
    """What was wondered about is known: nobody needs to look any more."""
    late = [row.id for row in rows if rules.too_long(row.sent_at, at=at)]
    if late:
        Case.objects.filter(kind=TOO_LONG, deduction_id__in=late, closed_at__isnull=True).update(closed_at=at)


def _free(rows: Sequence[Deduction], *, at: datetime) -> None:
    """Let the obligations of failed deductions go, each with its next attempts.

    Their orders are locked before them: what is told of an order is numbered, and a late fee ends beside its debt.
    """
    _known_at_last(rows, at=at)
    lines = _release_lines(rows)
    Order.objects.lock_all({line.order_id for line in lines})
    plans = after_failure(lines, at=at)
    releases, news = [], []
    for line in lines:
        deduction = line.deduction
        failure = {"code": deduction.failure_code, "class": deduction.failure_class, "at": at.isoformat()}
        plan = plans.get(line.id)
        releases.append(orders.Release(line.obligation_id, failure, plan))
        coming = line.obligation.plan if plan is None else plan
        coming = coming if line.obligation.paused_at is None else []
        again = datetime.fromisoformat(coming[0]["at"]) if coming else None
        news.append(_news(line, "deduction.failed", failure=failure | {"at": at}, next_attempt_at=again))
    orders.release(releases, at=at)
    publish(news, realm_id=rows[0].realm_id, at=at)
    tell.failed(lines, plans, at=at)


def _release_lines(rows: Sequence[Deduction]) -> list[DeductionLine]:
    """The deductions' lines, no longer live."""
    keys = [row.id for row in rows]
    by_id = {row.id: row for row in rows}
    DeductionLine.objects.filter(deduction_id__in=keys).update(live=False)
    lines = _LINES.rows(keys)
    for line in lines:
        line.deduction = by_id[line.deduction_id]
    return lines


def _contradicts(row: Deduction, answer: Answer, *, at: datetime) -> None:
    """A resolved deduction is heard of again: a repeat is nothing, a contradiction is booked or opened as a case."""
    if isinstance(answer, Lost | Absent):
        return
    succeeded = row.state == Deduction.State.SUCCEEDED
    if isinstance(answer, Declined | Closed):
        if succeeded:
            _open_case(row, "declined_after_success", {"code": getattr(answer, "code", "closed")}, at=at)
        return
    if not (succeeded and answer.txn == row.channel_txn):
        _to_suspense(row, answer, TWICE if succeeded else AFTER_FAILURE, at=at)


def _to_suspense(row: Deduction, answer: Taken, kind: str, *, at: datetime) -> None:
    """Money we cannot place is booked where it can be seen, once for each transaction of the channel.

    Where another amount was taken than was asked for, the deduction stays unknown until a person has decided; what the
    channel says last of a transaction counts.
    """
    known = row.cases.filter(kind__in=PLACED, detail__txn=answer.txn)
    said = {"txn": answer.txn, "amount": answer.amount.minor, "currency": answer.amount.currency}
    if known.exclude(resolution="").exists() or known.filter(closed_at=None, detail=said).exists():
        return
    explain(known, realm_id=row.realm_id, at=at)
    let_out([Booked(row, "debit", answer.txn, answer.amount)], at=at)
    case = _open_case(row, kind, said, at=at)
    move = book.Move(book.clearing(row.channel), book.SUSPENSE, answer.amount)
    ledger.post([ledger.Fact(case.id, kind, [move])], realm_id=row.realm_id, at=at)


def _open_case(row: Deduction, kind: str, detail: dict[str, Any], *, at: datetime) -> Case:
    return Case.objects.create(realm_id=row.realm_id, kind=kind, deduction=row, detail=detail, opened_at=at)


def _evidence(row: Deduction, report: Report, *, at: datetime) -> ChannelReport:
    answer = report.answer
    taken = answer if isinstance(answer, Taken) else None
    return ChannelReport(
        deduction=row,
        source=report.source,
        outcome=OUTCOMES[type(answer)],
        code=getattr(answer, "code", ""),
        channel_txn=taken.txn if taken else "",
        amount_minor=taken.amount.minor if taken else None,
        at=at,
    )


def _news(line: DeductionLine, event: str, **more: Any) -> News:
    data = {
        "id": line.deduction.public_id,
        "order": public("ord", line.order_id),
        "amount": line.amount_minor,
        "currency": line.deduction.currency,
        "attempt": line.attempt,
        **more,
    }
    return News(line.merchant_id, event, line.order_id, data)
