"""How every movement of money out ends: kept as evidence, resolved once, contradictions opened as cases.

What goes back to people and what is paid to merchants differ only in what an outcome means; that is handed in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import transaction

from billing import rules
from billing.channels import Absent, Answer, Closed, Declined, Lost, Taken
from billing.models import Case, ChannelReport, Payout, RefundPart
from billing.services.out_of_suspense import Booked, let_out
from billing.services.settle import OUTCOMES, TOO_LONG
from kernel.actor import Actor
from kernel.time_limit import TimeIsUp
from ledger import rules as book
from ledger import services as ledger

_M = TypeVar("_M", RefundPart, Payout)


@dataclass(frozen=True, slots=True)
class MovementReport:
    """What was heard about a movement, and how: `sync`, `query` or `callback`."""

    key: UUID
    answer: Answer
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseNames:
    """What a channel's contradictions are called."""

    wrong_amount: str
    declined_after: str
    twice: str
    after_failure: str


def never_again(row: RefundPart | Payout, answer: Answer, *, by: Actor, at: datetime) -> bool:
    """What is paid to merchants is not sent again: it comes along into their next settlement."""
    del row, answer, by, at
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver(Generic[_M]):
    """The one way by which outcomes of one kind of movement become true."""

    model: type[_M]
    #: The column by which reports and cases name such a movement.
    column: str
    cases: CaseNames
    #: `(row, by=, at=)`: the money has arrived, and the row says so.
    arrived: Callable[..., None]
    #: The same: nothing moved and nothing will.
    undone: Callable[..., None]
    #: `(row, answer, by=, at=)`: nothing moved yet and it is sent again later; whether that is so.
    put_off: Callable[..., bool] = never_again

    def settle_all(self, reports: Sequence[MovementReport], *, by: Actor, at: datetime) -> None:
        """Make true what the channels said, each by itself.

        Raises:
            Exception: the last of those that could not be settled; they stay unknown and are asked about.
        """
        failures: list[Exception] = []
        for report in reports:
            try:
                self._settle(report, by=by, at=at)
            except TimeIsUp:
                raise
            except Exception as exc:  # noqa: BLE001  one bad row must not stop the others; it is raised below
                failures.append(exc)
        if failures:
            raise failures[-1]

    @transaction.atomic
    def _settle(self, report: MovementReport, *, by: Actor, at: datetime) -> None:
        row, answer = self.model.objects.locked(report.key), report.answer
        self._keep(row, report, at=at)
        if row.state not in row.OPEN:
            self._contradicts(row, answer, at=at)
        elif isinstance(answer, Taken) and answer.amount == row.amount:
            row.succeed(answer.txn, at=at)
            row.record("succeeded", by=by, at=at, source=report.source)
            self._end(row, self.arrived, by=by, at=at)
        elif isinstance(answer, Taken):
            self._open_case(row, self.cases.wrong_amount, _moved(answer), at=at)
        elif row.state not in (row.State.SENT, row.State.UNKNOWN) or self.put_off(row, answer, by=by, at=at):
            return  # nothing moved, and it has its time to be sent again
        elif isinstance(answer, Declined):
            row.fail(answer.code, answer.kind, at=at)
            row.record("failed", by=by, at=at, code=answer.code)
            self._end(row, self.undone, by=by, at=at)
        else:
            self._doubt(row, answer, by=by, at=at)

    def _doubt(self, row: _M, answer: Answer, *, by: Actor, at: datetime) -> None:
        """Nobody knows yet: ask again later. Only a number that is closed at the channel was never sent."""
        if row.state == row.State.SENT:
            row.lose(ask_at=rules.next_ask(row.asks, at=at))
            row.record("unknown", by=by, at=at)
        if isinstance(answer, Closed):
            row.never_sent(at=at)
            row.record("not_sent", by=by, at=at)
            self._end(row, self.undone, by=by, at=at)
        elif rules.too_long(row.sent_at, at=at) and not row.cases.filter(kind=TOO_LONG).exists():
            self._open_case(row, TOO_LONG, {"asks": row.asks}, at=at)

    def _end(self, row: _M, meaning: Callable[..., None], *, by: Actor, at: datetime) -> None:
        row.cases.filter(kind=TOO_LONG, closed_at__isnull=True).update(closed_at=at)
        meaning(row, by=by, at=at)

    def _contradicts(self, row: _M, answer: Answer, *, at: datetime) -> None:
        """A resolved movement is heard of again: a repeat is nothing, a contradiction is opened as a case."""
        if isinstance(answer, Lost | Absent):
            return
        succeeded = row.state == row.State.SUCCEEDED
        if isinstance(answer, Declined | Closed):
            if succeeded:
                found = {"code": getattr(answer, "code", "closed")}
                self._open_case(row, self.cases.declined_after, found, at=at)
            return
        if not (succeeded and answer.txn == row.channel_txn):
            self._stray(row, answer, self.cases.twice if succeeded else self.cases.after_failure, at=at)

    def _stray(self, row: _M, answer: Taken, kind: str, *, at: datetime) -> None:
        """Money left that nobody expected: it is booked where it can be seen, once for each transaction."""
        if row.cases.filter(kind=kind, detail__txn=answer.txn).exists():
            return
        if isinstance(row, RefundPart):
            let_out([Booked(row, "refund", answer.txn, answer.amount)], at=at)
        case = self._open_case(row, kind, _moved(answer), at=at)
        move = book.Move(book.SUSPENSE, book.clearing(row.channel), answer.amount)
        ledger.post([ledger.Fact(case.id, kind, [move])], realm_id=row.realm_id, at=at)

    def _open_case(self, row: _M, kind: str, detail: dict[str, Any], *, at: datetime) -> Case:
        known = row.cases.filter(kind=kind, detail=detail).first()
        about = {self.column: row}
        return known or Case.objects.create(realm_id=row.realm_id, kind=kind, detail=detail, opened_at=at, **about)

    def _keep(self, row: _M, report: MovementReport, *, at: datetime) -> None:
        """What was said, as evidence."""
        answer = report.answer
        taken = answer if isinstance(answer, Taken) else None
        about = {self.column: row}
        ChannelReport.objects.create(
            source=report.source,
            outcome=OUTCOMES[type(answer)],
            code=getattr(answer, "code", ""),
            channel_txn=taken.txn if taken else "",
            amount_minor=taken.amount.minor if taken else None,
            at=at,
            **about,
        )


def _moved(answer: Taken) -> dict[str, Any]:
    """What a case keeps of it."""
    return {"txn": answer.txn, "amount": answer.amount.minor, "currency": answer.amount.currency}
