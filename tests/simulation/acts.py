"""What people and merchants do meanwhile: each act calls the service its door would call, at its time."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from accounts.models import Person
from billing.services import instruments, pay, plan
from credit import services as credit
from kernel.actor import Actor
from kernel.refusal import Refusal
from merchants.models import Service
from orders import services as orders
from orders.models import Obligation
from tests.simulation.copying import Role, key
from tests.simulation.pattern import number_of
from tests.simulation.world import Ordered, Size, World, moment, pact_of

MERCHANT = Actor("merchant", "simulated")
#: Orders that merchants make meanwhile are numbered from here on.
NEW = 50_000_000
#: How long after something may have become due: while it is in doubt, and when that has passed.
WHEN = (timedelta(seconds=2), timedelta(minutes=15))
#: How often each is done, for a thousand orders; a few times at least.
OFTEN = {
    "pay_now": 12,
    "pay_part": 8,
    "pay_all": 6,
    "click_twice": 6,
    "move_date": 10,
    "report_problem": 8,
    "add_account": 4,
    "cancel": 6,
    "lower": 8,
    "mark_paid": 4,
    "collect": 6,
    "stop_service": 2,
    "order": 10,
}
FEW = 3


@dataclass(frozen=True, slots=True, order=True)
class Act:
    """Something somebody does at a time; `place` settles what comes first at one."""

    at: datetime
    place: int
    kind: str
    about: Ordered
    #: What chance had in mind for it, 0 to 999,999.
    drawn: int

    def later(self, at: datetime, kind: str = "") -> "Act":
        return replace(self, at=at, kind=kind or self.kind)


def acts_of(world: World, size: Size, rng: random.Random) -> list[Act]:
    """Everything that will be done, drawn before the first day. Every open order is completed some time."""
    every = [*world.owed, *world.open]
    kinds = [kind for kind, often in OFTEN.items() for _ in range(max(FEW, often * size.orders // 1000))]
    chosen = [(kind, rng.choice(every)) for kind in kinds] + [("complete", one) for one in world.open]
    acts = [
        Act(moment(size, rng) + rng.choice(WHEN), place, kind, about, rng.randrange(1_000_000))
        for place, (kind, about) in enumerate(chosen)
    ]
    return sorted(acts)


@dataclass(frozen=True, slots=True)
class Cast:
    """Whoever acts: does it, and says in a word how it ended and what they will do next."""

    shops: Sequence[Service]
    next_act: Callable[[Act], None]

    def do(self, act: Act) -> str:
        """A refusal is an answer; anything else that is raised is not, and is let through."""
        try:
            return str(getattr(self, f"_{act.kind}")(act) or "done")
        except Refusal as refusal:
            return refusal.code

    def _pay_now(self, act: Act) -> str:
        made = pay.pay_now(act.about.order_id, by=_person(act), at=act.at)
        return ",".join(row.state for row in made)

    def _pay_part(self, act: Act) -> str:
        owed = sum(row.owed.minor for row in Obligation.objects.filter(order_id=act.about.order_id))
        part = 1 + act.drawn % max(1, owed)
        made = pay.pay_now(act.about.order_id, amount_minor=part, by=_person(act), at=act.at)
        return ",".join(row.state for row in made)

    def _pay_all(self, act: Act) -> str:
        made = pay.pay_all(act.about.person_id, by=_person(act), at=act.at)
        return ",".join(row.state for row in made)

    def _click_twice(self, act: Act) -> str:
        first = self.do(act.later(act.at, "pay_now"))
        return f"{first} {self.do(act.later(act.at, 'pay_now'))}"

    def _move_date(self, act: Act) -> None:
        debt = Obligation.objects.filter(order_id=act.about.order_id).order_by("sequence").first()
        if debt and debt.collect_at:
            plan.move_next(debt.id, debt.collect_at + timedelta(hours=act.drawn % 200), at=act.at)

    def _report_problem(self, act: Act) -> None:
        orders.pause_order(act.about.order_id, "problem_reported", by=_person(act), at=act.at)
        self.next_act(act.later(act.at + timedelta(minutes=act.drawn % 20_000), "solve_problem"))

    def _solve_problem(self, act: Act) -> None:
        orders.resume_order(act.about.order_id, "problem_reported", by=MERCHANT, at=act.at)

    def _add_account(self, act: Act) -> None:
        person = Person.objects.get(pk=act.about.person_id)
        instruments.add_instrument(person, "sandbox", f"c{act.about.citizen}-n{act.place}", "新银行卡", at=act.at)

    def _cancel(self, act: Act) -> str:
        return orders.cancel_order(act.about.order_id, "simulated", by=MERCHANT, at=act.at).state

    def _lower(self, act: Act) -> str:
        total = sum(
            row.amount_minor for row in Obligation.objects.filter(order_id=act.about.order_id, kind="principal")
        )
        less = act.drawn % max(1, total)
        return orders.lower_total(act.about.order_id, less, "simulated", by=MERCHANT, at=act.at).state

    def _mark_paid(self, act: Act) -> str:
        return orders.mark_paid(act.about.order_id, act.at, f"R{act.place}", by=MERCHANT, at=act.at).state

    def _collect(self, act: Act) -> str:
        made = pay.collect_now(act.about.order_id, by=MERCHANT, at=act.at)
        return ",".join(row.state for row in made)

    def _stop_service(self, act: Act) -> str:
        agreement_id = key(Role.AGREEMENT, pact_of(act.about.citizen, act.about.shop))
        return credit.stop_agreement(agreement_id, by=_person(act), at=act.at).state

    def _order(self, act: Act) -> str:
        """The merchant's two calls; whoever is asked again after a crash sends the very same."""
        shop, about = self.shops[act.about.shop], act.about
        wish = orders.Wish(
            agreement_id=key(Role.AGREEMENT, pact_of(about.citizen, about.shop)),
            out_order_no=number_of(NEW + act.place),
            title=shop.name,
            currency=shop.currency,
        )
        opening = orders.open_order(shop.merchant_id, wish, by=MERCHANT, at=act.at)
        if opening.order is None:
            return opening.coarse_reason
        new = replace(about, number=NEW + act.place, order_id=opening.order.id)
        self.next_act(replace(act, about=new, kind="complete", at=act.at + timedelta(minutes=1 + act.drawn % 3000)))
        return opening.order.state

    def _complete(self, act: Act) -> str:
        ceiling = self.shops[act.about.shop].ceiling_minor
        total = 0 if act.drawn % 50 == 0 else 1 + act.drawn % ceiling
        return orders.complete_order(act.about.order_id, orders.Final(total=total), by=MERCHANT, at=act.at).state


def _person(act: Act) -> Actor:
    return Actor.person(act.about.person_id)
