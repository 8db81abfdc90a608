"""People with one due order each, in a sandbox whose clock is frozen until the experiment begins."""

import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from django.db import connection
from django.db.models import Min, Sum

from billing.channels.bank import Behaviour
from billing.models import Deduction
from bnpl.invariants import find_violations
from kernel.clock import live_now, now_in
from kernel.models import Realm
from orders import services as orders
from orders.models import Obligation, Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, make_shop
from tests.kills.copies import create_copies
from tests.kills.running_stack import RunningStack

SEED = int(os.environ.get("KILL_SEED", "20261125"))
#: Longer waits are skipped by advancing the sandbox's clock; `make evidence` waits out every lease.
REAL_WAIT_MAX = timedelta(seconds=float(os.environ.get("KILL_LONGEST_WAIT", "3")))
#: The behaviours of every twenty people.
MIX = {
    Behaviour.PAYS: 13,
    Behaviour.TIMEOUT_THEN_PAID: 2,
    Behaviour.SLOW: 2,
    Behaviour.DUPLICATE_CALLBACK: 2,
    Behaviour.NO_FUNDS_UNTIL: 1,
}
BROKE_UNTIL = NOON + timedelta(hours=1)
#: How long nothing may change before the clock is advanced; longer while a charge is sent, as its worker may be slow.
STILL_SECONDS, STILL_IN_HAND_SECONDS = 2.0, 8.0
TOKEN = "person__instruments__token"
TAKEN = """
SELECT token, array_agg(amount_minor ORDER BY number) FROM sandbox_bank.debit
WHERE code = '' AND NOT payout AND token LIKE %s GROUP BY token
"""


@dataclass
class Crowd:
    """The people of one shop, and what each of them owes, by the token at the sandbox bank."""

    shop: Shop
    owed: dict[str, list[int]]

    @property
    def realm(self) -> Realm:
        return Realm.objects.get(pk=self.shop.realm_id)

    def set_clock(self, to: datetime) -> None:
        """The sandbox's clock runs, and shows this now."""
        Realm.objects.filter(pk=self.shop.realm_id).update(frozen_at=None, clock_offset=to - live_now())

    def attempted_debts(self) -> int:
        """The number of debts that a worker has attempted."""
        return Obligation.objects.filter(realm_id=self.shop.realm_id, attempts__gt=0).count()

    def unpaid_orders(self) -> int:
        return Order.objects.filter(merchant=self.shop.merchant).exclude(state="deducted").count()

    def bank_debits(self) -> dict[str, list[int]]:
        """The sandbox bank's debits of each account."""
        with connection.cursor() as cursor:
            cursor.execute(TAKEN, [f"{self.shop.realm_id}:%"])
            return dict(cursor.fetchall())

    def next_due(self) -> datetime | None:
        collect = Obligation.objects.filter(realm_id=self.shop.realm_id).aggregate(at=Min("collect_at"))["at"]
        ask = Deduction.objects.filter(realm_id=self.shop.realm_id).aggregate(at=Min("ask_at"))["at"]
        return min(filter(None, (collect, ask)), default=None)

    def progress(self) -> tuple[int, int]:
        """A value that changes with every charge and every transition of a deduction."""
        steps = Deduction.objects.filter(realm_id=self.shop.realm_id).aggregate(n=Sum("version"))["n"] or 0
        return sum(map(len, self.bank_debits().values())), steps

    def has_sent_charge(self) -> bool:
        """Whether a charge was sent and has no recorded result; its worker may be dead, or still at work."""
        return Deduction.objects.filter(realm_id=self.shop.realm_id, state="sent").exists()

    def assert_charged_once(self) -> None:
        assert self.unpaid_orders() == 0
        bank_debits = self.bank_debits()
        wrong = {
            token: (minor, bank_debits.get(token))
            for token, minor in self.owed.items()
            if bank_debits.get(token) != minor
        }
        assert not wrong, wrong
        assert bank_debits.keys() == self.owed.keys()


def create_crowd(size: int, dice: Random, *, spread: timedelta = timedelta(), mix: dict[Behaviour, int] = MIX) -> Crowd:
    """People whose debts fall due from noon on, evenly over `spread`; nothing happens before `set_clock`.

    A few are created by the services, the others are copies of them.
    """
    shop = make_shop("来电充电宝")
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    behaviours = [behaviour for behaviour, times in mix.items() for _ in range(times)]
    dice.shuffle(behaviours)
    people = []
    for number, behaviour in enumerate(behaviours):
        script = {"until": BROKE_UNTIL} if behaviour is Behaviour.NO_FUNDS_UNTIL else {}
        person = make_person(shop, behaviour, **script)
        due = orders.CompletionRequest(total=dice.randint(1, 9900), due_at=NOON + spread * (number / len(behaviours)))
        orders.complete_order(make_order(shop, make_agreement(shop, person)).id, due, by=BY, at=NOON)
        people.append(person)
    create_copies(people, size // len(people) - 1, shared=[shop.merchant.id, shop.service.id])
    assert list(find_violations()) == []
    owed = Obligation.objects.filter(realm_id=shop.realm_id, person__instruments__channel="sandbox")
    return Crowd(shop, {token: [minor] for token, minor in owed.values_list(TOKEN, "amount_minor")})


class SettlementWaiter:
    """Waits until the last debt is paid, advancing the sandbox's clock over idle waits.

    The clock is advanced only while nothing changes: an expired lease must mean that no worker holds it.
    """

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.seen, self.since = (-1, -1), time.monotonic()

    def done(self) -> bool:
        if not self.crowd.unpaid_orders():
            return True
        progress = self.crowd.progress()
        if progress != self.seen:
            self.seen, self.since = progress, time.monotonic()
        elif time.monotonic() - self.since > self.patience():
            self.advance_clock()
        time.sleep(0.1)
        return False

    def patience(self) -> float:
        return STILL_IN_HAND_SECONDS if self.crowd.has_sent_charge() else STILL_SECONDS

    def advance_clock(self) -> None:
        due = self.crowd.next_due()
        if due is not None and due - now_in(self.crowd.realm) > REAL_WAIT_MAX:
            self.crowd.set_clock(due)
            self.since = time.monotonic()


def wait_until_paid(stack: RunningStack, crowd: Crowd, patience: float = 1200.0) -> float:
    """Wait until everything is paid. Returns the seconds it took."""
    return stack.wait_until(SettlementWaiter(crowd).done, "Not everything was paid.", patience)
