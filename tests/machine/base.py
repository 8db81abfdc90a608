"""The base of the state machine's rules: the world, how to pick from it, and the comparison after every step."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from bnpl.invariants import find_violations
from kernel.refusal import Refusal
from tests.database import empty_tables
from tests.machine import compare
from tests.machine.debt import Debt
from tests.machine.model import Order, Person
from tests.machine.world import World

#: The invariants are checked after this many steps, and at the end.
EVERY = 10
#: Each example has its own shop and people; after this many, the tables are emptied so that queries stay fast.
FRESH = 20
PICKS = st.integers(0, 2**16)
#: One pick in this many is made among all candidates, so that invalid actions are tried as well.
ANYTHING = 6
_T = TypeVar("_T")


class Rules(RuleBasedStateMachine):
    """One example: a world of its own, and its steps."""

    steps: ClassVar[Counter[str]] = Counter()
    examples: ClassVar[int] = 0
    ended_well: ClassVar[bool] = True
    #: What became of orders, debts and attempts, so that it can be seen that the steps lead somewhere.
    reached: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        if Rules.examples % FRESH == 0 or not Rules.ended_well:
            empty_tables(None)  # what one example broke must not be held against the next
        Rules.ended_well = False
        Rules.examples += 1
        self.world = World()
        self.count = 0

    def step(self, name: str) -> None:
        Rules.steps[name] += 1
        self.count += 1

    @invariant()
    def the_model_and_the_database_agree(self) -> None:
        compare.assert_same(self.world)
        if self.count % EVERY == EVERY - 1:
            assert_invariants()

    def teardown(self) -> None:
        debts = [debt for order in self.world.orders for debt in order.debts]
        Rules.reached.update(f"order {order.state}" for order in self.world.orders)
        Rules.reached.update(f"{'debt' if debt.principal else 'late fee'} {debt.state}" for debt in debts)
        Rules.reached.update(f"attempt {attempt.state}" for attempt in self.world.collection.attempts.values())
        assert_invariants()
        compare.assert_contact_limits(self.world)
        Rules.ended_well = True

    def order(self, pick: int, fits: Callable[[Order], Any]) -> Order:
        """One of the orders that fit; now and then, or where none does, any of them."""
        fitting = [order for order in self.world.orders if fits(order)]
        return pick_from(pick, self.world.orders if pick % ANYTHING == 0 else fitting or self.world.orders)

    def person(self, pick: int) -> tuple[UUID, Person]:
        return pick_from(pick, list(self.world.people.items()))

    def source(self, pick: int, person: Person) -> tuple[str | None, UUID | None]:
        """An instrument of theirs to pay from, as token and id; or none in particular."""
        token = pick_from(pick, [None, None, *person.tokens])
        return token, self.world.instruments.get(token or "")

    def assert_attempted(self, lines: Sequence[tuple[Debt, int]], token: str | None) -> None:
        """Exactly one attempt was made, for this and from there; or none, where nothing is to be attempted."""
        wanted = [(self.world.collection.source(lines[0][0].order.person, token), dict(lines))] if lines else []
        assert [(attempt.token, dict(attempt.lines)) for attempt in self.world.collect_attempts()] == wanted


def assert_invariants() -> None:
    found = list(find_violations())
    assert not found, found


def pick_from(pick: int, among: Sequence[_T]) -> _T:
    return among[pick // ANYTHING % len(among)]


def refusal_code(act: Callable[[], Any]) -> str:
    """The code of the refusal with which it ends, or none."""
    try:
        act()
    except Refusal as refusal:
        return refusal.code
    return ""
