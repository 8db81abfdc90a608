"""A crowd that owes: one order each, due in one sandbox whose clock stands still until the experiment begins."""

import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from django.db import connection
from django.db.models import Min, Sum

from billing.channels.bank import Behaviour
from billing.models import Deduction
from bnpl.invariants import violations
from kernel.clock import live_now, now_in
from kernel.models import Realm
from orders import services as orders
from orders.models import Obligation, Order
from tests.conftest import BY, NOON, Shop, make_shop, opened, ordered, someone
from tests.kills.copies import twins
from tests.kills.house import House

SEED = int(os.environ.get("KILL_SEED", "20261125"))
#: A longer wait for a date is not waited out, the sandbox's clock is moved on; `make evidence` waits out every lease.
LONGEST_WAIT = timedelta(seconds=float(os.environ.get("KILL_LONGEST_WAIT", "3")))
#: Of twenty people so many behave so.
MIX = {
    Behaviour.PAYS: 13,
    Behaviour.TIMEOUT_THEN_PAID: 2,
    Behaviour.SLOW: 2,
    Behaviour.DUPLICATE_CALLBACK: 2,
    Behaviour.NO_FUNDS_UNTIL: 1,
}
BROKE_UNTIL = NOON + timedelta(hours=1)
#: How long nothing moves before the clock does; a process with a charge in hand may only be slow.
STILL_SECONDS, STILL_IN_HAND_SECONDS = 2.0, 8.0
TOKEN = "person__instruments__token"
TAKEN = """
SELECT token, array_agg(amount_minor ORDER BY number) FROM sandbox_bank.debit
WHERE code = '' AND NOT payout AND token LIKE %s GROUP BY token
"""


@dataclass
class Crowd:
    """So many people of one shop, and what each of them owes at the sandbox bank."""

    shop: Shop
    owed: dict[str, list[int]]

    @property
    def realm(self) -> Realm:
        return Realm.objects.get(pk=self.shop.realm_id)

    def set_clock(self, to: datetime) -> None:
        """The sandbox's clock runs, and shows this now."""
        Realm.objects.filter(pk=self.shop.realm_id).update(frozen_at=None, clock_offset=to - live_now())

    def claimed(self) -> int:
        """How many debts a worker has taken up."""
        return Obligation.objects.filter(realm_id=self.shop.realm_id, attempts__gt=0).count()

    def undone(self) -> int:
        return Order.objects.filter(merchant=self.shop.merchant).exclude(state="deducted").count()

    def taken(self) -> dict[str, list[int]]:
        """What the sandbox bank took from each account, every time it took."""
        with connection.cursor() as cursor:
            cursor.execute(TAKEN, [f"{self.shop.realm_id}:%"])
            return dict(cursor.fetchall())

    def next_due(self) -> datetime | None:
        collect = Obligation.objects.filter(realm_id=self.shop.realm_id).aggregate(at=Min("collect_at"))["at"]
        ask = Deduction.objects.filter(realm_id=self.shop.realm_id).aggregate(at=Min("ask_at"))["at"]
        return min(filter(None, (collect, ask)), default=None)

    def progress(self) -> tuple[int, int]:
        """Changes with every charge and every step of a deduction."""
        steps = Deduction.objects.filter(realm_id=self.shop.realm_id).aggregate(n=Sum("version"))["n"] or 0
        return sum(map(len, self.taken().values())), steps

    def in_hand(self) -> bool:
        """Whether some charge was sent whose answer nobody has seen; whoever sent it may be dead, or at it."""
        return Deduction.objects.filter(realm_id=self.shop.realm_id, state="sent").exists()

    def must_have_been_charged_once(self) -> None:
        assert self.undone() == 0
        taken = self.taken()
        wrong = {token: (minor, taken.get(token)) for token, minor in self.owed.items() if taken.get(token) != minor}
        assert not wrong, wrong
        assert taken.keys() == self.owed.keys()


def gather(size: int, dice: Random, *, spread: timedelta = timedelta(), mix: dict[Behaviour, int] = MIX) -> Crowd:
    """People whose debts come due from noon on, evenly over `spread`; nothing happens before `set_clock`.

    A few live their life through the services, the others are their twins.
    """
    shop = make_shop("来电充电宝")
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    behaviours = [behaviour for behaviour, times in mix.items() for _ in range(times)]
    dice.shuffle(behaviours)
    people = []
    for number, behaviour in enumerate(behaviours):
        script = {"until": BROKE_UNTIL} if behaviour is Behaviour.NO_FUNDS_UNTIL else {}
        person = someone(shop, behaviour, **script)
        due = orders.Final(total=dice.randint(1, 9900), due_at=NOON + spread * (number / len(behaviours)))
        orders.complete_order(ordered(shop, opened(shop, person)).id, due, by=BY, at=NOON)
        people.append(person)
    twins(people, size // len(people) - 1, shared=[shop.merchant.id, shop.service.id])
    assert list(violations()) == []
    owed = Obligation.objects.filter(realm_id=shop.realm_id, person__instruments__channel="sandbox")
    return Crowd(shop, {token: [minor] for token, minor in owed.values_list(TOKEN, "amount_minor")})


class Settling:
    """Waits for the last debt; its clock is moved on over waits nobody spends working.

    It is moved only while all stands still: what a lease says about a worker is true as long as no worker is at it.
    """

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.seen, self.since = (-1, -1), time.monotonic()

    def done(self) -> bool:
        if not self.crowd.undone():
            return True
        progress = self.crowd.progress()
        if progress != self.seen:
            self.seen, self.since = progress, time.monotonic()
        elif time.monotonic() - self.since > self.patience():
            self.move_clock_on()
        time.sleep(0.1)
        return False

    def patience(self) -> float:
        return STILL_IN_HAND_SECONDS if self.crowd.in_hand() else STILL_SECONDS

    def move_clock_on(self) -> None:
        due = self.crowd.next_due()
        if due is not None and due - now_in(self.crowd.realm) > LONGEST_WAIT:
            self.crowd.set_clock(due)
            self.since = time.monotonic()


def settle(house: House, crowd: Crowd, patience: float = 1200.0) -> float:
    """Waits until everything is paid; returns the seconds that took."""
    return house.until(Settling(crowd).done, "Not everything was paid.", patience)
