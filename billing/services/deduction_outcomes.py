"""Settles deductions: every result a channel reports, by answer, query or callback, is applied here and only here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from billing import rules
from billing.channels import Answer, Closed, Declined, NumberNotFound, Succeeded, Unknown
from billing.models import Case, ChannelReport, Deduction, DeductionLine, Instrument
from billing.planning import FailureClass
from billing.services import notices
from billing.services.attempt_plans import plans_after_failure
from billing.services.contradictions import STATEMENT, report_other_amount
from billing.services.deduction_events import build_event, by_order, failure_of, next_attempt_at
from billing.services.suspense import BookedMovement, close_explained_cases, release_booked
from kernel.actor import Actor
from kernel.bulk_writes import insert_all
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.prepared_statements import PreparedQuery
from kernel.sweeps import process_bisecting, raise_last
from ledger import accounts as book
from ledger import services as ledger
from merchants.services import publish
from orders import services as orders
from orders.models import Order

#: Kind of the case of a movement whose result has been unknown for days.
UNKNOWN_TOO_LONG = "unknown_too_long"
#: Kinds of cases whose money is in suspense, one for each transaction of the channel.
WRONG_AMOUNT, TAKEN_AFTER_FAILURE, TAKEN_TWICE = SUSPENSE_KINDS = ("wrong_amount", "taken_after_failure", "taken_twice")
OUTCOME_CODES = {Succeeded: "taken", Declined: "declined", Unknown: "lost", NumberNotFound: "absent", Closed: "closed"}


_LINES_OF_DEDUCTIONS = PreparedQuery(
    lambda keys: (
        DeductionLine.objects.filter(deduction_id__any=keys)
        .select_related("obligation__person", "order__service", "order__merchant")
        .order_by("id")
    ),
    ["uuid[]"],
)


@dataclass(frozen=True, slots=True)
class DeductionReport:
    """A channel's answer about a deduction, and how it came: `sync`, `query` or `callback`."""

    deduction_id: UUID
    answer: Answer
    source: str


def settle_all(reports: Sequence[DeductionReport], *, by: Actor, at: datetime) -> None:
    """Apply the channels' reports, in batches; if a batch fails, the reports that can be applied are.

    Successes, failures and unknown results have a transaction each. In one, successes would lock credit profiles and
    ledger accounts, and failures then obligations again, against the lock order.

    Raises:
        Exception: the last failure. Reports that cannot be applied even alone leave their deductions unknown, and the
            channels are asked again.
    """
    failures = list[Exception]()
    for kind in (Succeeded, Declined, Unknown | NumberNotFound | Closed):
        same_kind = [report for report in reports if isinstance(report.answer, kind)]
        failures += process_bisecting(same_kind, partial(_settle_batch, by=by, at=at), event="not_settled")
    raise_last(failures)


@transaction.atomic
def _settle_batch(reports: Sequence[DeductionReport], *, by: Actor, at: datetime) -> None:
    by_id = {report.deduction_id: report for report in reports}
    rows = Deduction.objects.locked_all(by_id)
    insert_all([_build_channel_report(row, by_id[row.id], at=at) for row in rows])
    open_rows, succeeded = [], []
    for row in rows:
        answer = by_id[row.id].answer
        if row.state not in (Deduction.State.SENT, Deduction.State.UNKNOWN):
            _handle_late_report(row, by_id[row.id], at=at)
            continue
        open_rows.append(row)
        if isinstance(answer, Succeeded) and answer.amount == row.amount:
            succeeded.append(row)
        elif isinstance(answer, Succeeded):
            _book_to_suspense(row, answer, WRONG_AMOUNT, at=at)
    _mark_succeeded(succeeded, by_id, by=by, at=at)
    _mark_failed([row for row in open_rows if isinstance(by_id[row.id].answer, Declined)], by_id, by=by, at=at)
    unknown = [row for row in open_rows if isinstance(by_id[row.id].answer, Unknown | NumberNotFound | Closed)]
    _mark_unknown(unknown, by_id, by=by, at=at)


def _mark_succeeded(
    rows: Sequence[Deduction], reports: dict[UUID, DeductionReport], *, by: Actor, at: datetime
) -> None:
    """The money was deducted: post it and release the obligations."""
    if not rows:
        return
    for row in rows:
        answer = reports[row.id].answer
        if isinstance(answer, Succeeded):
            row.succeed(answer.txn, at=at)
    _close_unknown_cases(rows, at=at)
    _release_suspense(rows, at=at)
    record_all(rows, "succeeded", by=by, at=at, data=[{"source": reports[row.id].source} for row in rows])
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
    orders.receive_payments(payments, by=by, at=at)
    events = [build_event(group, "deduction.succeeded") for group in by_order(lines)]
    publish(events, realm_id=rows[0].realm_id, at=at)
    notices.notify_deducted(lines, at=at)


def _release_suspense(rows: Sequence[Deduction], *, at: datetime) -> None:
    """Release what a break or a case holds in suspense of these deductions, as they are booked now."""
    release_booked([BookedMovement(row, "debit", row.channel_txn or "", row.amount) for row in rows], at=at)
    txns = {(row.id, row.channel_txn) for row in rows}
    cases = Case.objects.filter(kind__in=SUSPENSE_KINDS, closed_at=None, deduction__in=rows)
    explained = [case.pk for case in cases if (case.deduction_id, case.detail.get("txn")) in txns]
    if explained:
        close_explained_cases(Case.objects.filter(pk__in=explained), realm_id=rows[0].realm_id, at=at)


def _mark_failed(rows: Sequence[Deduction], reports: dict[UUID, DeductionReport], *, by: Actor, at: datetime) -> None:
    """The channel is sure that nothing was deducted: record why, and plan the next attempts."""
    if not rows:
        return
    for row in rows:
        answer = reports[row.id].answer
        if isinstance(answer, Declined):
            row.fail(answer.code, answer.kind, at=at)
    for row in (row for row in rows if row.failure_class == FailureClass.HARD):
        instrument = Instrument.objects.filter(pk=row.instrument_id)
        instrument.update(state=Instrument.State.DEAD, dead_because=row.failure_code)
    record_all(rows, "failed", by=by, at=at, data=[{"code": row.failure_code} for row in rows])
    _release_and_replan(rows, at=at)


def _mark_unknown(rows: Sequence[Deduction], reports: dict[UUID, DeductionReport], *, by: Actor, at: datetime) -> None:
    """The result is unknown: ask again later. Only a number that the channel has closed was certainly never sent."""
    newly_unknown = [row for row in rows if row.state == Deduction.State.SENT]
    for row in newly_unknown:
        row.mark_unknown(ask_at=rules.next_query_at(row.asks, at=at))
    record_all(newly_unknown, "unknown", by=by, at=at)
    never_sent = [row for row in rows if isinstance(reports[row.id].answer, Closed)]
    _open_unknown_cases(
        [row for row in rows if row not in never_sent and rules.should_escalate(row.sent_at, at=at)], at=at
    )
    for row in never_sent:
        row.mark_not_sent(at=at)
    record_all(never_sent, "not_sent", by=by, at=at)
    if never_sent:
        _release_and_replan(never_sent, at=at)


def _open_unknown_cases(rows: Sequence[Deduction], *, at: datetime) -> None:
    """Open a case for each deduction whose result has been unknown for days. The channel is still asked."""
    if not rows:
        return
    known = set(Case.objects.filter(kind=UNKNOWN_TOO_LONG, deduction__in=rows).values_list("deduction_id", flat=True))
    for row in rows:
        if row.id not in known:
            _open_case(row, UNKNOWN_TOO_LONG, {"asks": row.asks}, at=at)


def _close_unknown_cases(rows: Sequence[Deduction], *, at: datetime) -> None:
    """Close the cases of deductions whose result was unknown for days and is known now."""
    late = [row.id for row in rows if rules.should_escalate(row.sent_at, at=at)]
    if late:
        Case.objects.filter(kind=UNKNOWN_TOO_LONG, deduction_id__in=late, closed_at__isnull=True).update(closed_at=at)


def _release_and_replan(rows: Sequence[Deduction], *, at: datetime) -> None:
    """Release the obligations of failed deductions, each with its next attempts.

    Their orders are locked first, because events are numbered by order, and late fees end together with their debt.
    """
    _close_unknown_cases(rows, at=at)
    lines = _release_lines(rows)
    Order.objects.lock_all({line.order_id for line in lines})
    plans = plans_after_failure(lines, at=at)
    releases = [orders.Release(line.obligation_id, failure_of(line, at=at), plans.get(line.id)) for line in lines]
    events = []
    for group in by_order(lines):
        failure = failure_of(group[0], at=at) | {"at": at}
        again = min(filter(None, (next_attempt_at(line, plans.get(line.id)) for line in group)), default=None)
        events.append(build_event(group, "deduction.failed", failure=failure, next_attempt_at=again))
    orders.release_obligations(releases, at=at)
    publish(events, realm_id=rows[0].realm_id, at=at)
    notices.notify_deduction_failed(lines, plans, at=at)


def _release_lines(rows: Sequence[Deduction]) -> list[DeductionLine]:
    """Mark the lines of these deductions as no longer live, and return them."""
    keys = [row.id for row in rows]
    by_id = {row.id: row for row in rows}
    DeductionLine.objects.filter(deduction_id__in=keys).update(live=False)
    lines = _LINES_OF_DEDUCTIONS.rows(keys)
    for line in lines:
        line.deduction = by_id[line.deduction_id]
    return lines


def _handle_late_report(row: Deduction, report: DeductionReport, *, at: datetime) -> None:
    """Handle a report about a settled deduction: ignore a repeat; open a case for a contradiction."""
    answer = report.answer
    if isinstance(answer, Unknown | NumberNotFound):
        return
    succeeded = row.state == Deduction.State.SUCCEEDED
    if isinstance(answer, Declined | Closed):
        if succeeded:
            _open_case(row, "declined_after_success", {"code": getattr(answer, "code", "closed")}, at=at)
        return
    if not (succeeded and answer.txn == row.channel_txn):
        _book_to_suspense(row, answer, TAKEN_TWICE if succeeded else TAKEN_AFTER_FAILURE, at=at)
    elif answer.amount != row.amount and report.source != STATEMENT:
        report_other_amount(row, answer.txn, answer.amount, at=at)


def _book_to_suspense(row: Deduction, answer: Succeeded, kind: str, *, at: datetime) -> None:
    """Book unexpected money into suspense and open a case, once for each transaction of the channel.

    After a wrong amount the deduction stays unknown until the case is closed. The channel's last report of a
    transaction counts.
    """
    known = row.cases.filter(kind__in=SUSPENSE_KINDS, detail__txn=answer.txn)
    detail = {"txn": answer.txn, "amount": answer.amount.minor, "currency": answer.amount.currency}
    if (resolved := known.exclude(resolution="")).exists():
        if not resolved.filter(detail=detail).exists():
            report_other_amount(row, answer.txn, answer.amount, at=at)
        return
    if known.filter(closed_at=None, detail=detail).exists():
        return
    close_explained_cases(known, realm_id=row.realm_id, at=at)
    release_booked([BookedMovement(row, "debit", answer.txn, answer.amount)], at=at)
    case = _open_case(row, kind, detail, at=at)
    move = book.Move(book.clearing(row.channel), book.SUSPENSE, answer.amount)
    ledger.post([ledger.JournalEntry(case.id, kind, [move])], realm_id=row.realm_id, at=at)


def _open_case(row: Deduction, kind: str, detail: dict[str, Any], *, at: datetime) -> Case:
    return Case.objects.create(realm_id=row.realm_id, kind=kind, deduction=row, detail=detail, opened_at=at)


def _build_channel_report(row: Deduction, report: DeductionReport, *, at: datetime) -> ChannelReport:
    answer = report.answer
    taken = answer if isinstance(answer, Succeeded) else None
    return ChannelReport(
        deduction=row,
        source=report.source,
        outcome=OUTCOME_CODES[type(answer)],
        code=getattr(answer, "code", ""),
        channel_txn=taken.txn if taken else "",
        amount_minor=taken.amount.minor if taken else None,
        at=at,
    )
