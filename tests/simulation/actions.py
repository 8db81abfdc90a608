"""Actions of people and merchants: each calls, at its time, the service that its view would call."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from accounts.models import Person
from billing.services import attempt_plans, instruments, pay
from credit import services as credit
from kernel.actor import Actor
from kernel.refusal import Refusal
from merchants.models import Service
from orders import services as orders
from orders.models import Obligation
from tests.simulation.row_copies import Role, copy_key
from tests.simulation.template_rows import number_of
from tests.simulation.world import OrderRef, Size, World, agreement_number, random_time

MERCHANT = Actor("merchant", "simulated")
#: Orders created during the run are numbered from here on.
FIRST_NEW_ORDER = 50_000_000
#: Delay after something may have become due: while its result is in doubt, and later.
DELAYS = (timedelta(seconds=2), timedelta(minutes=15))
#: How often each action is done for a thousand orders; at least `MIN_ACTIONS` times.
FREQUENCIES = {
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
MIN_ACTIONS = 3


@dataclass(frozen=True, slots=True, order=True)
class Action:
    """One action at a time; `sequence` orders actions of the same time."""

    at: datetime
    sequence: int
    kind: str
    order: OrderRef
    #: Drawn in advance, 0 to 999,999, for the choices within the action.
    random_number: int

    def later(self, at: datetime, kind: str = "") -> "Action":
        return replace(self, at=at, kind=kind or self.kind)


def plan_actions(world: World, size: Size, rng: random.Random) -> list[Action]:
    """All actions, drawn before the first day. Every open order is completed at some time."""
    every = [*world.owed, *world.open]
    kinds = [kind for kind, often in FREQUENCIES.items() for _ in range(max(MIN_ACTIONS, often * size.orders // 1000))]
    chosen = [(kind, rng.choice(every)) for kind in kinds] + [("complete", one) for one in world.open]
    acts = [
        Action(random_time(size, rng) + rng.choice(DELAYS), place, kind, about, rng.randrange(1_000_000))
        for place, (kind, about) in enumerate(chosen)
    ]
    return sorted(acts)


@dataclass(frozen=True, slots=True)
class Performer:
    """Performs actions; each returns its result as a word and may schedule a next action."""

    shops: Sequence[Service]
    schedule: Callable[[Action], None]

    def perform(self, action: Action) -> str:
        """A refusal is a valid result; any other exception is let through."""
        try:
            return str(getattr(self, f"_{action.kind}")(action) or "done")
        except Refusal as refusal:
            return refusal.code

    def _pay_now(self, action: Action) -> str:
        made = pay.pay_now(action.order.order_id, by=_person(action), at=action.at)
        return ",".join(row.state for row in made)

    def _pay_part(self, action: Action) -> str:
        owed = sum(row.owed.minor for row in Obligation.objects.filter(order_id=action.order.order_id))
        part = 1 + action.random_number % max(1, owed)
        made = pay.pay_now(action.order.order_id, amount_minor=part, by=_person(action), at=action.at)
        return ",".join(row.state for row in made)

    def _pay_all(self, action: Action) -> str:
        made = pay.pay_all(action.order.person_id, by=_person(action), at=action.at)
        return ",".join(row.state for row in made)

    def _click_twice(self, action: Action) -> str:
        first = self.perform(action.later(action.at, "pay_now"))
        return f"{first} {self.perform(action.later(action.at, 'pay_now'))}"

    def _move_date(self, action: Action) -> None:
        debt = Obligation.objects.filter(order_id=action.order.order_id).order_by("sequence").first()
        if debt and debt.collect_at:
            attempt_plans.move_next_attempt(
                debt.id, debt.collect_at + timedelta(hours=action.random_number % 200), at=action.at
            )

    def _report_problem(self, action: Action) -> None:
        orders.pause_order(action.order.order_id, "problem_reported", by=_person(action), at=action.at)
        self.schedule(action.later(action.at + timedelta(minutes=action.random_number % 20_000), "solve_problem"))

    def _solve_problem(self, action: Action) -> None:
        orders.resume_order(action.order.order_id, "problem_reported", by=MERCHANT, at=action.at)

    def _add_account(self, action: Action) -> None:
        person = Person.objects.get(pk=action.order.person_id)
        instruments.add_instrument(
            person, "sandbox", f"c{action.order.citizen}-n{action.sequence}", "新银行卡", at=action.at
        )

    def _cancel(self, action: Action) -> str:
        return orders.cancel_order(action.order.order_id, "simulated", by=MERCHANT, at=action.at).state

    def _lower(self, action: Action) -> str:
        total = sum(
            row.amount_minor for row in Obligation.objects.filter(order_id=action.order.order_id, kind="principal")
        )
        less = action.random_number % max(1, total)
        return orders.reduce_total(action.order.order_id, less, "simulated", by=MERCHANT, at=action.at).state

    def _mark_paid(self, action: Action) -> str:
        return orders.mark_paid(
            action.order.order_id, action.at, f"R{action.sequence}", by=MERCHANT, at=action.at
        ).state

    def _collect(self, action: Action) -> str:
        made = pay.collect_now(action.order.order_id, by=MERCHANT, at=action.at)
        return ",".join(row.state for row in made)

    def _stop_service(self, action: Action) -> str:
        agreement_id = copy_key(Role.AGREEMENT, agreement_number(action.order.citizen, action.order.shop))
        return credit.stop_agreement(agreement_id, by=_person(action), at=action.at).state

    def _order(self, action: Action) -> str:
        """The merchant's create and complete calls; a retry after a crash sends the same request."""
        shop, about = self.shops[action.order.shop], action.order
        wish = orders.OrderRequest(
            agreement_id=copy_key(Role.AGREEMENT, agreement_number(about.citizen, about.shop)),
            out_order_no=number_of(FIRST_NEW_ORDER + action.sequence),
            title=shop.name,
            currency=shop.currency,
        )
        opening = orders.open_order(shop.merchant_id, wish, by=MERCHANT, at=action.at)
        if opening.order is None:
            return opening.coarse_reason
        new = replace(about, number=FIRST_NEW_ORDER + action.sequence, order_id=opening.order.id)
        self.schedule(
            replace(
                action, order=new, kind="complete", at=action.at + timedelta(minutes=1 + action.random_number % 3000)
            )
        )
        return opening.order.state

    def _complete(self, action: Action) -> str:
        ceiling = self.shops[action.order.shop].ceiling_minor
        total = 0 if action.random_number % 50 == 0 else 1 + action.random_number % ceiling
        return orders.complete_order(
            action.order.order_id, orders.CompletionRequest(total=total), by=MERCHANT, at=action.at
        ).state


def _person(action: Action) -> Actor:
    return Actor.person(action.order.person_id)
