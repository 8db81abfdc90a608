"""Two strategies to collect from the same people: the platform's own rules, and a retry a day. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from benchmarks.bank import KINDS, TAKEN, BankAccount
from benchmarks.population import DAY, EPOCH, HORIZON_DAYS, ZONE, Order, Person
from billing import planning, rules
from billing.planning import FailureClass, PastRetry, PlannedAttempt, Policy, Situation, Source

HORIZON = HORIZON_DAYS * DAY
CAPS_LOOK_BACK = timedelta(days=30)
#: Reasons that the caps do not count: the first attempt, and repeats of one that the channel never made.
UNCOUNTED_REASONS = ("due", "channel_trouble")


@dataclass(slots=True, eq=False)
class Debt:
    """The debt of one order, and its next attempt."""

    order: Order
    due_at: datetime
    next_attempt_at: datetime | None
    plan: list[PlannedAttempt] = field(default_factory=list)
    failed: list["Attempt"] = field(default_factory=list)
    paid_at: datetime | None = None
    by_debit: bool = False

    @property
    def ends_at(self) -> datetime:
        """The end of all attempts: the person pays in another way, or the horizon is reached."""
        return from_minutes(min(self.order.due + HORIZON, self.order.alone))

    @property
    def paid_at_first_attempt(self) -> bool:
        """Whether the first attempt succeeded."""
        return self.by_debit and not self.failed


@dataclass(slots=True)
class Debit:
    """A debit: its instrument, its debts, and its reason in the plan."""

    source: Source
    reason: str
    debts: list[Debt]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempted debit, and the bank's answer."""

    debit: Debit
    at: datetime
    answer: str

    @property
    def day(self) -> int:
        return to_minutes(self.at) // DAY


@dataclass(slots=True)
class CollectionRun:
    """One person under one strategy: their debts, and all attempts."""

    debts: list[Debt]
    accounts: dict[str, BankAccount]
    usable: list[Source]
    attempts: list[Attempt] = field(default_factory=list)

    def counted_retries(self, at: datetime) -> list[PastRetry]:
        """The retries that the caps count, as `billing.queries.retries_of` finds them."""
        counted = (a for a in self.attempts if a.debit.reason not in UNCOUNTED_REASONS and a.at > at - CAPS_LOOK_BACK)
        return [PastRetry(attempt.debit.source.id, attempt.at) for attempt in counted]

    def charge(self, debit: Debit, at: datetime) -> None:
        """Attempt a debit. An instrument that is declined for good is not used again."""
        answer = self.accounts[debit.source.id].debit(to_minutes(at), sum(debt.order.amount for debt in debit.debts))
        attempt = Attempt(debit, at, answer)
        self.attempts.append(attempt)
        if KINDS.get(answer) is FailureClass.HARD:
            self.usable = [source for source in self.usable if source.id != debit.source.id]
        for debt in debit.debts:
            debt.next_attempt_at = None
            if answer == TAKEN:
                debt.paid_at, debt.by_debit = at, True
            else:
                debt.failed.append(attempt)


class CollectionStrategy(Protocol):
    """A strategy to collect debts."""

    def debits(self, due: Sequence[Debt], run: CollectionRun, at: datetime) -> list[Debit]:
        """The debits to attempt now; debts that are left out were postponed."""
        ...

    def schedule_retry(self, debt: Debt, run: CollectionRun, at: datetime) -> None:
        """Set the debt's next attempt after a failed one."""
        ...


@dataclass(frozen=True, slots=True)
class PolicyStrategy:
    """The platform's retry rules, applied in the same order as in `billing.services`."""

    policy: Policy

    def debits(self, due: Sequence[Debt], run: CollectionRun, at: datetime) -> list[Debit]:
        """Retries beyond a cap or in quiet hours are postponed; debts due from one instrument are one debit, except
        those that are split.
        """
        tried = run.counted_retries(at)
        together: dict[tuple[str, Debt | None], Debit] = {}
        for debt in sorted(due, key=lambda debt: debt.order.due):
            first = debt.plan[0] if debt.plan else PlannedAttempt(at, run.usable[0], "due")
            source = next((source for source in run.usable if source == first.source), run.usable[0])
            key = source.id, debt if first.reason == planning.SPLIT else None
            debit = together.get(key)
            if first.reason not in UNCOUNTED_REASONS and (debit is None or debit.reason in UNCOUNTED_REASONS):
                if not planning.is_retry_allowed(self.policy, source.id, at, zone=ZONE, past_retries=tried):
                    debt.next_attempt_at = planning.next_allowed_time(
                        self.policy, source.id, at, zone=ZONE, past_retries=tried
                    )
                    later = (planned for planned in debt.plan[1:] if planned.at > debt.next_attempt_at)
                    debt.plan = [PlannedAttempt(debt.next_attempt_at, source, first.reason), *later]
                    continue
                tried.append(PastRetry(source.id, at))
            if debit is None:
                debit = together[key] = Debit(source, first.reason, [])
            debit.debts.append(debt)
            debit.reason = first.reason if debit.reason in UNCOUNTED_REASONS else debit.reason
        return list(together.values())

    def schedule_retry(self, debt: Debt, run: CollectionRun, at: datetime) -> None:
        failed = debt.failed[-1]
        kinds = [KINDS[attempt.answer] for attempt in reversed(debt.failed)]
        now = Situation(
            due_at=debt.due_at,
            at=at,
            zone=ZONE,
            sources=tuple(run.usable),
            past_retries=tuple(run.counted_retries(at)),
            failed_source=failed.debit.source.id,
            sources_failed_today=frozenset(other.debit.source.id for other in debt.failed if other.day == failed.day),
            oldest_of_several=debt is failed.debit.debts[0] and len(failed.debit.debts) > 1,
            technical_failures=rules.streak_length(kinds, kinds[0]),
        )
        debt.plan = planning.attempts_after_failure(self.policy, kinds[0], now)
        debt.next_attempt_at = debt.plan[0].at if debt.plan else None


@dataclass(frozen=True, slots=True)
class DailyStrategy:
    """Each debt once a day at the hour it fell due, from the first usable instrument, or each in turn."""

    in_turn: bool = False

    def debits(self, due: Sequence[Debt], run: CollectionRun, at: datetime) -> list[Debit]:
        debits = []
        for debt in due:
            place = len(debt.failed) % len(run.usable) if self.in_turn else 0
            debits.append(Debit(run.usable[place], "daily" if debt.failed else "due", [debt]))
        return debits

    def schedule_retry(self, debt: Debt, run: CollectionRun, at: datetime) -> None:
        debt.next_attempt_at = at + timedelta(days=1)


def collect(
    person: Person, outages: Sequence[Sequence[tuple[int, int]]], strategy: CollectionStrategy
) -> CollectionRun:
    """Simulate one person from the first due time until the last debt is paid or its horizon is reached."""
    run = CollectionRun(
        debts=[Debt(order, from_minutes(order.due), from_minutes(order.due)) for order in person.orders],
        accounts={account.id: BankAccount(account, outages[account.bank]) for account in person.accounts},
        usable=[Source(account.id, account.id) for account in person.accounts],
    )
    while (at := min((debt.next_attempt_at for debt in run.debts if debt.next_attempt_at), default=None)) is not None:
        _sweep(run, strategy, at)
    for debt in run.debts:
        if debt.paid_at is None and debt.order.alone < debt.order.due + HORIZON:
            debt.paid_at = from_minutes(debt.order.alone)
    return run


def _sweep(run: CollectionRun, strategy: CollectionStrategy, at: datetime) -> None:
    """Attempt everything due at this moment, and schedule the retries."""
    due = [debt for debt in run.debts if debt.next_attempt_at == at]
    for debt in due:
        if not run.usable or at >= debt.ends_at:
            debt.next_attempt_at = None
    debits = strategy.debits([debt for debt in due if debt.next_attempt_at], run, at)
    for debit in debits:
        run.charge(debit, at)
    for debit in debits:
        for debt in debit.debts:
            if debt.paid_at is None and run.usable:
                strategy.schedule_retry(debt, run, at)


def from_minutes(minute: int) -> datetime:
    return EPOCH + timedelta(minutes=minute)


def to_minutes(at: datetime) -> int:
    return int((at - EPOCH).total_seconds()) // 60
