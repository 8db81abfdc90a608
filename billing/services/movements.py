"""Outcomes of money paid out: stored as evidence, resolved once, contradictions opened as cases.

Refund parts and payouts share this resolver and differ only in what an outcome leads to, which is passed in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction

from billing import rules
from billing.channels import Answer, Closed, Declined, NumberNotFound, Succeeded, Unknown
from billing.models import Case, ChannelReport, Payout, RefundPart
from billing.services.contradictions import STATEMENT, report_other_amount
from billing.services.deduction_outcomes import OUTCOME_CODES, UNKNOWN_TOO_LONG
from billing.services.suspense import BookedMovement, release_booked
from kernel.actor import Actor
from ledger import accounts as book
from ledger import services as ledger

_M = TypeVar("_M", RefundPart, Payout)


@dataclass(frozen=True, slots=True)
class MovementReport:
    """A channel's answer about a movement, and its source: `sync`, `query` or `callback`."""

    key: UUID
    answer: Answer
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseKinds:
    """The case kinds of a channel's contradictions."""

    wrong_amount: str
    declined_after: str
    duplicate: str
    after_failure: str


def never_resend(row: RefundPart | Payout, answer: Answer, *, by: Actor, at: datetime) -> bool:
    """For payouts: a failed one is not sent again but added to the merchant's next settlement."""
    del row, answer, by, at
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementResolver(Generic[_M]):
    """Applies the outcomes of one kind of movement."""

    model: type[_M]
    #: The foreign key by which reports and cases refer to such a movement.
    column: str
    case_kinds: CaseKinds
    #: `(row, by=, at=)`: called once the row has succeeded.
    on_success: Callable[..., None]
    #: `(row, by=, at=)`: called once the row has failed for good.
    on_failure: Callable[..., None]
    #: `(row, answer, by=, at=)`: schedules another send of what moved nothing yet. Whether it did.
    schedule_resend: Callable[..., bool] = never_resend

    def settle_all(self, reports: Sequence[MovementReport], *, by: Actor, at: datetime) -> None:
        """Apply the channels' answers, each in its own transaction.

        Raises:
            Exception: the last error of those that could not be applied; they stay unknown and are polled.
        """
        failures: list[Exception] = []
        for report in reports:
            try:
                self._settle(report, by=by, at=at)
            except SoftTimeLimitExceeded:
                raise
            except Exception as exc:  # noqa: BLE001  one bad row must not stop the others; it is raised below
                failures.append(exc)
        if failures:
            raise failures[-1]

    @transaction.atomic
    def _settle(self, report: MovementReport, *, by: Actor, at: datetime) -> None:
        row, answer = self.model.objects.locked(report.key), report.answer
        self._store_report(row, report, at=at)
        if row.state not in row.OPEN:
            self._handle_late_report(row, report, at=at)
        elif isinstance(answer, Succeeded) and answer.amount == row.amount:
            row.succeed(answer.txn, at=at)
            row.record("succeeded", by=by, at=at, source=report.source)
            self._finish(row, self.on_success, by=by, at=at)
        elif isinstance(answer, Succeeded):
            self._open_case(row, self.case_kinds.wrong_amount, _case_detail(answer), at=at)
        elif row.state not in (row.State.SENT, row.State.UNKNOWN) or self.schedule_resend(row, answer, by=by, at=at):
            return  # nothing moved, and another send is scheduled
        elif isinstance(answer, Declined):
            row.fail(answer.code, answer.kind, at=at)
            row.record("failed", by=by, at=at, code=answer.code)
            self._finish(row, self.on_failure, by=by, at=at)
        else:
            self._handle_unknown(row, answer, by=by, at=at)

    def _handle_unknown(self, row: _M, answer: Answer, *, by: Actor, at: datetime) -> None:
        """The outcome is unknown: poll again later. Only a number closed at the channel counts as not sent."""
        if row.state == row.State.SENT:
            row.mark_unknown(ask_at=rules.next_query_at(row.asks, at=at))
            row.record("unknown", by=by, at=at)
        if isinstance(answer, Closed):
            row.mark_not_sent(at=at)
            row.record("not_sent", by=by, at=at)
            self._finish(row, self.on_failure, by=by, at=at)
        elif rules.should_escalate(row.sent_at, at=at) and not row.cases.filter(kind=UNKNOWN_TOO_LONG).exists():
            self._open_case(row, UNKNOWN_TOO_LONG, {"asks": row.asks}, at=at)

    def _finish(self, row: _M, callback: Callable[..., None], *, by: Actor, at: datetime) -> None:
        row.cases.filter(kind=UNKNOWN_TOO_LONG, closed_at__isnull=True).update(closed_at=at)
        callback(row, by=by, at=at)

    def _handle_late_report(self, row: _M, report: MovementReport, *, at: datetime) -> None:
        """Handle an answer about a resolved movement: ignore a repeat, open a case for a contradiction."""
        answer = report.answer
        if isinstance(answer, Unknown | NumberNotFound):
            return
        succeeded = row.state == row.State.SUCCEEDED
        if isinstance(answer, Declined | Closed):
            if succeeded:
                detail = {"code": getattr(answer, "code", "closed")}
                self._open_case(row, self.case_kinds.declined_after, detail, at=at)
            return
        if not (succeeded and answer.txn == row.channel_txn):
            self._book_stray_money(
                row, answer, self.case_kinds.duplicate if succeeded else self.case_kinds.after_failure, at=at
            )
        elif answer.amount != row.amount and report.source != STATEMENT:
            report_other_amount(row, answer.txn, answer.amount, at=at)

    def _book_stray_money(self, row: _M, answer: Succeeded, kind: str, *, at: datetime) -> None:
        """Book money that left unexpectedly to suspense and open a case, once for each transaction."""
        known = row.cases.filter(kind=kind, detail__txn=answer.txn)
        if known.exists():
            if not known.filter(detail=_case_detail(answer)).exists():
                report_other_amount(row, answer.txn, answer.amount, at=at)
            return
        if isinstance(row, RefundPart):
            release_booked([BookedMovement(row, "refund", answer.txn, answer.amount)], at=at)
        case = self._open_case(row, kind, _case_detail(answer), at=at)
        move = book.Move(book.SUSPENSE, book.clearing(row.channel), answer.amount)
        ledger.post([ledger.JournalEntry(case.id, kind, [move])], realm_id=row.realm_id, at=at)

    def _open_case(self, row: _M, kind: str, detail: dict[str, Any], *, at: datetime) -> Case:
        existing = row.cases.filter(kind=kind, detail=detail).first()
        about = {self.column: row}
        return existing or Case.objects.create(realm_id=row.realm_id, kind=kind, detail=detail, opened_at=at, **about)

    def _store_report(self, row: _M, report: MovementReport, *, at: datetime) -> None:
        """Store the answer as evidence."""
        answer = report.answer
        taken = answer if isinstance(answer, Succeeded) else None
        about = {self.column: row}
        ChannelReport.objects.create(
            source=report.source,
            outcome=OUTCOME_CODES[type(answer)],
            code=getattr(answer, "code", ""),
            channel_txn=taken.txn if taken else "",
            amount_minor=taken.amount.minor if taken else None,
            at=at,
            **about,
        )


def _case_detail(answer: Succeeded) -> dict[str, Any]:
    """The movement as stored in a case."""
    return {"txn": answer.txn, "amount": answer.amount.minor, "currency": answer.amount.currency}
