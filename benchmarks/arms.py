"""Two ways of collecting from the same people: the platform's own rules, and a retry a day. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from benchmarks.bank import KINDS, TAKEN, Till
from benchmarks.population import DAY, EPOCH, HORIZON_DAYS, ZONE, Order, Person
from billing import planning, rules
from billing.planning import Kind, Planned, Policy, Situation, Source, Tried

HORIZON = HORIZON_DAYS * DAY
CAPS_LOOK_BACK = timedelta(days=30)
#: What the caps do not count: the attempt the person expects, and repeats of one that never took place.
UNCOUNTED = ("due", "channel_trouble")


@dataclass(slots=True, eq=False)
class Debt:
    """What one order owes, and when it is tried next."""

    order: Order
    due_at: datetime
    at: datetime | None
    plan: list[Planned] = field(default_factory=list)
    failed: list["Attempt"] = field(default_factory=list)
    paid_at: datetime | None = None
    by_debit: bool = False

    @property
    def ends_at(self) -> datetime:
        """From when on nothing is tried: its person has paid in another way, or it has been followed long enough."""
        return moment(min(self.order.due + HORIZON, self.order.alone))

    @property
    def at_first(self) -> bool:
        """Whether the first attempt took the money."""
        return self.by_debit and not self.failed


@dataclass(slots=True)
class Debit:
    """What a bank is asked: from where, for which debts, and what the plan calls it."""

    source: Source
    reason: str
    debts: list[Debt]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A debit that was asked for, and the bank's answer."""

    debit: Debit
    at: datetime
    answer: str

    @property
    def day(self) -> int:
        return minutes(self.at) // DAY


@dataclass(slots=True)
class Life:
    """One person under one way of collecting: what became of each debt, and every debit that was asked for."""

    debts: list[Debt]
    tills: dict[str, Till]
    usable: list[Source]
    attempts: list[Attempt] = field(default_factory=list)

    def tried(self, at: datetime) -> list[Tried]:
        """The retries that the caps count, as `billing.queries.retries_of` finds them."""
        counted = (a for a in self.attempts if a.debit.reason not in UNCOUNTED and a.at > at - CAPS_LOOK_BACK)
        return [Tried(attempt.debit.source.id, attempt.at) for attempt in counted]

    def ask(self, debit: Debit, at: datetime) -> None:
        """Ask the bank. An instrument that turns out dead is never asked again."""
        answer = self.tills[debit.source.id].debit(minutes(at), sum(debt.order.amount for debt in debit.debts))
        attempt = Attempt(debit, at, answer)
        self.attempts.append(attempt)
        if KINDS.get(answer) is Kind.HARD:
            self.usable = [source for source in self.usable if source.id != debit.source.id]
        for debt in debit.debts:
            debt.at = None
            if answer == TAKEN:
                debt.paid_at, debt.by_debit = at, True
            else:
                debt.failed.append(attempt)


class Arm(Protocol):
    """A way of collecting."""

    def debits(self, due: Sequence[Debt], life: Life, at: datetime) -> list[Debit]:
        """What the banks are asked now; a debt that is left out was put off."""
        ...

    def follow(self, debt: Debt, life: Life, at: datetime) -> None:
        """Say when the debt is tried again, now that its latest attempt has failed."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """The platform's own pure rules, applied in the order in which `billing.services` applies them."""

    policy: Policy

    def debits(self, due: Sequence[Debt], life: Life, at: datetime) -> list[Debit]:
        """A retry that a cap or the hour forbids is put off; what is asked of one instrument at once is one debit, but
        for what is tried by itself.
        """
        tried = life.tried(at)
        together: dict[tuple[str, Debt | None], Debit] = {}
        for debt in sorted(due, key=lambda debt: debt.order.due):
            first = debt.plan[0] if debt.plan else Planned(at, life.usable[0], "due")
            source = next((source for source in life.usable if source == first.source), life.usable[0])
            key = source.id, debt if first.reason == planning.SPLIT else None
            debit = together.get(key)
            if first.reason not in UNCOUNTED and (debit is None or debit.reason in UNCOUNTED):
                if not planning.allowed(self.policy, source.id, at, zone=ZONE, tried=tried):
                    debt.at = planning.next_allowed(self.policy, source.id, at, zone=ZONE, tried=tried)
                    later = (planned for planned in debt.plan[1:] if planned.at > debt.at)
                    debt.plan = [Planned(debt.at, source, first.reason), *later]
                    continue
                tried.append(Tried(source.id, at))
            if debit is None:
                debit = together[key] = Debit(source, first.reason, [])
            debit.debts.append(debt)
            debit.reason = first.reason if debit.reason in UNCOUNTED else debit.reason
        return list(together.values())

    def follow(self, debt: Debt, life: Life, at: datetime) -> None:
        failed = debt.failed[-1]
        kinds = [KINDS[attempt.answer] for attempt in reversed(debt.failed)]
        now = Situation(
            due_at=debt.due_at,
            at=at,
            zone=ZONE,
            sources=tuple(life.usable),
            tried=tuple(life.tried(at)),
            failed=failed.debit.source.id,
            failed_today=frozenset(other.debit.source.id for other in debt.failed if other.day == failed.day),
            oldest_of_several=debt is failed.debit.debts[0] and len(failed.debit.debts) > 1,
            troubles=rules.row_of(kinds, kinds[0]),
        )
        debt.plan = planning.after_failure(self.policy, kinds[0], now)
        debt.at = debt.plan[0].at if debt.plan else None


@dataclass(frozen=True, slots=True)
class Daily:
    """Each debt once a day at the hour it fell due: from the first instrument that is not dead, or each in turn."""

    in_turn: bool = False

    def debits(self, due: Sequence[Debt], life: Life, at: datetime) -> list[Debit]:
        debits = []
        for debt in due:
            place = len(debt.failed) % len(life.usable) if self.in_turn else 0
            debits.append(Debit(life.usable[place], "daily" if debt.failed else "due", [debt]))
        return debits

    def follow(self, debt: Debt, life: Life, at: datetime) -> None:
        debt.at = at + timedelta(days=1)


def collect(person: Person, outages: Sequence[Sequence[tuple[int, int]]], arm: Arm) -> Life:
    """Live it through, from the first due time until the last debt is paid or has been followed long enough."""
    life = Life(
        debts=[Debt(order, moment(order.due), moment(order.due)) for order in person.orders],
        tills={account.id: Till(account, outages[account.bank]) for account in person.accounts},
        usable=[Source(account.id, account.id) for account in person.accounts],
    )
    while (at := min((debt.at for debt in life.debts if debt.at), default=None)) is not None:
        _sweep(life, arm, at)
    for debt in life.debts:
        if debt.paid_at is None and debt.order.alone < debt.order.due + HORIZON:
            debt.paid_at = moment(debt.order.alone)
    return life


def _sweep(life: Life, arm: Arm, at: datetime) -> None:
    """What is due at this moment: asked for, then followed."""
    due = [debt for debt in life.debts if debt.at == at]
    for debt in due:
        if not life.usable or at >= debt.ends_at:
            debt.at = None
    debits = arm.debits([debt for debt in due if debt.at], life, at)
    for debit in debits:
        life.ask(debit, at)
    for debit in debits:
        for debt in debit.debts:
            if debt.paid_at is None and life.usable:
                arm.follow(debt, life, at)


def moment(minute: int) -> datetime:
    return EPOCH + timedelta(minutes=minute)


def minutes(at: datetime) -> int:
    return int((at - EPOCH).total_seconds()) // 60
