"""The rules of the environment: time passes and jobs run, the bank's behaviour changes, it calls back, workers die."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from accounts.deliver import deliver_due
from billing.channels import CHANNELS, ChargeRequest
from billing.channels.bank import Behaviour, sign
from billing.models import Deduction
from billing.services.callbacks import deliver_realm_callbacks, receive_callback
from billing.services.deduct import deduct_due, prepare_due
from billing.services.outcome_polling import poll_deductions
from billing.services.reminders import remind_all
from orders import services as orders
from orders.models import Obligation
from tests.machine.attempts import ANOTHER, Attempt
from tests.machine.bank_model import ChannelResult
from tests.machine.base import PICKS, Rules, pick_from, refusal_code
from tests.machine.debt import CHINA, Debt, midnight_after
from tests.machine.people_rules import MORNING, NIGHT
from tests.unchanged import assert_unchanged

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
SPANS = [
    SECOND,
    6 * SECOND,
    40 * SECOND,
    70 * SECOND,
    11 * 60 * SECOND,
    HOUR,
    7 * HOUR,
    DAY,
    3 * DAY,
    8 * DAY,
    32 * DAY,
]
MOST = 100
FREE = ("due", "due_moved", "channel_trouble")
#: How many retries a day one instrument and one person may see.
RETRIES_A_DAY = 1


class EnvironmentRules(Rules):
    @property
    def clocks(self) -> dict[str, Callable[[], None]]:
        return {
            "deduct": self.deduct,
            "ask": self.ask,
            "callbacks": self.call_back,
            "overdue": self.mark_overdue,
            "days": self.end_days,
            "remind": self.remind,
            "deliver": self.deliver,
            "expire": self.expire,
        }

    @rule(span=st.sampled_from(SPANS))
    def time_passes(self, span: timedelta) -> None:
        """Time passes, and every scheduled job runs."""
        self.step("time_passes")
        self.pass_time(span)

    @rule(days=st.integers(1, 3))
    def days_pass(self, days: int) -> None:
        """Days pass; every scheduled job runs each morning, when retries are planned."""
        self.step("days_pass")
        for _ in range(days):
            self.pass_time(midnight_after(self.world.at) + 10 * HOUR - self.world.at)

    def pass_time(self, span: timedelta) -> None:
        self.world.set_clock(self.world.at + span)
        for ring in self.clocks.values():
            ring()

    @rule(span=st.sampled_from(SPANS), which=st.lists(st.sampled_from(range(8)), min_size=1, max_size=3))
    def some_clocks_ring(self, span: timedelta, which: list[int]) -> None:
        """Some only, in any order, twice or not at all: the others were late."""
        self.step("some_clocks_ring")
        self.world.set_clock(self.world.at + span)
        for place in which:
            list(self.clocks.values())[place]()

    def deduct(self) -> None:
        due = self.due()
        deduct_due(self.world.realm_id, at=self.world.at)
        self.assert_planned(due, self.world.collect_attempts(whole=True))

    def ask(self) -> None:
        self.world.collection.ask(at=self.world.at)
        poll_deductions(self.world.realm_id, at=self.world.at)

    def call_back(self) -> None:
        self.world.collection.call_back(at=self.world.at)
        deliver_realm_callbacks(self.world.realm, real=self.world.at)

    def mark_overdue(self) -> None:
        firsts = self.firsts()
        for order in self.world.orders:
            order.mark_overdue(firsts, at=self.world.at)
        orders.mark_overdue(self.world.realm_id, at=self.world.at, limit=MOST)

    def end_days(self) -> None:
        asked = self.asked()
        for order in self.world.orders:
            order.end_days(asked, at=self.world.at)
        orders.close_days(self.world.realm_id, at=self.world.at, limit=MOST)

    def remind(self) -> None:
        remind_all(self.world.realm_id, at=self.world.at)

    def deliver(self) -> None:
        deliver_due(self.world.realm_id, at=self.world.at)

    def expire(self) -> None:
        for order in self.world.orders:
            order.expire(at=self.world.at)
        orders.expire_unconfirmed(self.world.realm_id, at=self.world.at, limit=MOST)

    def firsts(self) -> dict[tuple[UUID, int], datetime]:
        """When what was never asked for by plan is; long ago for what a channel in trouble is to be asked for again."""
        rows = Obligation.objects.filter(realm_id=self.world.realm_id, plan__0__reason__in=["due", "due_moved"])
        waits = rows.filter(collect_at__isnull=False).values_list("order_id", "sequence", "collect_at")
        found = {(order, sequence): moment for order, sequence, moment in waits if moment}
        again = Obligation.objects.filter(realm_id=self.world.realm_id, collect_at__isnull=False)
        again = again.filter(last_failure__class__in=["technical", "not_sent"])
        again = again.exclude(plan__0__reason__in=["moved", "limits"])
        return found | dict.fromkeys(again.values_list("order_id", "sequence"), datetime.min.replace(tzinfo=UTC))

    def asked(self) -> Callable[[Debt, datetime], bool]:
        """Whether by the end of a day nothing that was planned was still to be asked for, or under way."""
        rows = Obligation.objects.filter(realm_id=self.world.realm_id)
        kept = [(row, list(row.plans.order_by("id"))) for row in rows]
        plans = {(row.order_id, row.sequence): (row.collect_at, made) for row, made in kept}

        def said(debt: Debt, end: datetime) -> bool:
            first, made = plans[debt.order.id, debt.sequence]
            if self.world.at >= end + timedelta(minutes=10) and (before := [plan for plan in made if plan.at <= end]):
                first = datetime.fromisoformat(before[-1].attempts[0]["at"]) if before[-1].attempts else None
            return first is None or first > end

        return said

    def due(self) -> set[tuple[UUID, int]]:
        rows = Obligation.objects.filter(realm_id=self.world.realm_id, collect_at__lte=self.world.at)
        return set(rows.values_list("order_id", "sequence"))

    def assert_planned(self, due: set[tuple[UUID, int]], attempts: list[Attempt]) -> None:
        """Only what was due was tried, whole; one debit a person and instrument; nothing due is left lying.

        But what failed just now and goes on at once, elsewhere or by itself: that is the next ring's.
        """
        tried = {(debt.order.id, debt.sequence): attempt for attempt in attempts for debt, _ in attempt.lines}
        assert tried.keys() <= due
        split = Deduction.objects.filter(pk__in=[attempt.id for attempt in attempts], reason="split")
        alone = set(split.values_list("id", flat=True))
        together = Counter(attempt.token for attempt in attempts if attempt.id not in alone)
        assert max(together.values(), default=1) == 1
        assert all(place in tried and tried[place].state == "failed" for place in self.due()), "on at once"
        local = self.world.at + CHINA
        retries = Deduction.objects.filter(
            realm_id=self.world.realm_id, purpose="planned", prepared_at__gt=self.world.at - DAY
        ).exclude(reason__in=FREE)
        today = [
            (token, at) for token, at in retries.values_list("instrument_id", "prepared_at")
            if (at + CHINA).date() == local.date()
        ]  # fmt: skip
        assert all(MORNING <= (at + CHINA).hour < NIGHT for _, at in today)
        assert max(Counter(token for token, _ in today).values(), default=1) <= RETRIES_A_DAY

    @rule(knocked=st.booleans())
    def worker_dies(self, *, knocked: bool) -> None:
        """After the deductions were written down, or after the bank had heard of them too."""
        self.step("worker_dies")
        due = self.due()
        made, _ = prepare_due(self.world.realm_id, at=self.world.at, limit=MOST)
        attempts = self.world.collect_attempts(charged=False, whole=True)
        self.assert_planned(due, attempts)
        for row, attempt in zip(sorted(made, key=lambda row: row.id), attempts, strict=True) if knocked else ():
            CHANNELS[row.channel].charge(ChargeRequest(row.number, row.instrument.token, row.amount, self.world.at))
            self.world.collection.charge(attempt, at=self.world.at)

    @rule(pick=PICKS, behaviour=st.sampled_from(Behaviour), days=st.integers(0, 9))
    def bank_changes(self, pick: int, behaviour: Behaviour, days: int) -> None:
        self.step(f"bank {behaviour}")
        token = pick_from(pick, [token for token, account in self.world.bank.accounts.items() if not account.wallet])
        until = self.world.at + days * DAY if behaviour is Behaviour.NO_FUNDS_UNTIL else None
        balance = days * 60_000 if behaviour is Behaviour.PARTIAL_BALANCE else None
        self.world.script(token, behaviour, until, balance)

    @precondition(lambda self: self.at_the_bank)
    @rule(pick=PICKS, kind=st.sampled_from(["true", "again", "forged", "changed", "wrong amount", "contradiction"]))
    def bank_calls(self, pick: int, kind: str) -> None:
        """A callback: early, late, once more, forged, about another amount, or against what was known."""
        attempts = self.at_the_bank
        unknown = [attempt for attempt in attempts if attempt.open]
        attempt = pick_from(pick, unknown if unknown and kind in ("true", "wrong amount") else attempts)
        txn, amount = self.world.txn_of(attempt), attempt.amount + (kind == "wrong amount")
        if attempt.open and (kind == "contradiction" or (kind in ("true", "again") and txn is None)):
            kind = "forged"  # a bank that signs for what it never took is beyond proof
        txn = ANOTHER if txn is None or kind == "contradiction" else txn
        note = {"notify_id": uuid4().hex, "number": attempt.id.hex, "txn": txn, "amount": amount, "currency": "CNY"}
        raw = json.dumps(note).encode()
        self.step(f"callback {kind}")
        if kind in ("forged", "changed"):
            signature = "0" * 64 if kind == "forged" else sign(raw[:-1])
            with assert_unchanged():
                assert (
                    refusal_code(lambda: receive_callback("sandbox", raw, signature, real=self.world.at))
                    == "bad_signature"
                )
            return
        self.apply_callback(attempt, txn, amount)
        for _ in range(2 if kind == "again" else 1):
            receive_callback("sandbox", raw, sign(raw), real=self.world.at)

    @property
    def at_the_bank(self) -> list[Attempt]:
        accounts, attempts = self.world.bank.accounts, self.world.collection.attempts.values()
        return [attempt for attempt in attempts if not accounts[attempt.token].wallet]

    def apply_callback(self, attempt: Attempt, txn: str, amount: int) -> None:
        """What a callback must come to that the bank has signed."""
        collection, wrong = self.world.collection, amount != attempt.amount
        if attempt.open and not wrong:
            collection.apply_result(attempt, ChannelResult.TAKEN, at=self.world.at)
        elif attempt.open or attempt.state != "succeeded" or txn == ANOTHER:
            collection.hold_in_suspense(attempt, txn, amount)
        elif wrong:
            collection.contradict(attempt, txn, amount)
