"""The rules of people: they confirm, pay, move dates, add instruments, and stop; their orders are paused."""

from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from billing.channels.bank import Behaviour
from billing.services.attempt_plans import move_next_attempt
from billing.services.pay import pay_all, pay_now
from credit import services as credit
from orders import services as orders
from orders.models import Obligation, Pause
from tests.conftest import BY
from tests.machine.base import PICKS, Rules, pick_from, refusal_code

REASONS = st.sampled_from([str(reason) for reason in Pause.Reason.values])
MOVE_MAX, NIGHT, MORNING = timedelta(days=7), 22, 7
INSTRUMENTS_MAX = 4


class PeopleRules(Rules):
    @precondition(lambda self: self.world.orders)
    @rule(pick=PICKS, yes=st.sampled_from([True, True, False]))
    def answer(self, pick: int, *, yes: bool) -> None:
        """The person says yes or no to an order that waits for them."""
        self.step("answer")
        order = self.order(pick, lambda order: order.state == "created")
        at, confirmed = self.world.at, order.expires_at is not None and order.state == "open"
        if not yes:
            expected = "" if order.state == "created" else "order_state"
            assert refusal_code(lambda: orders.decline_order(order.id, by=BY, at=at)) == expected
            if not expected:
                order.cancel("declined by the person")
            return
        expected = "" if order.state == "created" and order.expires_at and order.expires_at > at else "order_state"
        if not expected and order.agreement.state != "active":
            expected = "agreement_not_active"
        assert refusal_code(lambda: orders.confirm_order(order.id, by=BY, at=at)) == ("" if confirmed else expected)
        if not expected and order.person.can_owe(order.ceiling):
            order.state = "open"

    @precondition(lambda self: self.world.orders)
    @rule(pick=PICKS, how=st.sampled_from(["all", "all", "one", "half", "too much", "nothing"]), source=PICKS)
    def pay(self, pick: int, how: str, source: int) -> None:
        self.step(f"pay {how}")
        order = self.order(pick, lambda order: order.owed)
        amounts = {"all": None, "one": 1, "half": (order.owed + 1) // 2, "too much": order.owed + 1, "nothing": 0}
        token, instrument_id = self.source(source, order.person)
        expected, lines = self.world.collection.pay(order, token, amounts[how])

        code = refusal_code(
            lambda: pay_now(order.id, amount_minor=amounts[how], instrument_id=instrument_id, by=BY, at=self.world.at)
        )

        assert code == expected
        self.assert_attempted(lines, token)

    @rule(pick=PICKS, source=PICKS)
    def pay_all(self, pick: int, source: int) -> None:
        self.step("pay_all")
        person_id, person = self.person(pick)
        token, instrument_id = self.source(source, person)
        expected, lines = self.world.collection.pay_all(person, token)
        code = refusal_code(lambda: pay_all(person_id, instrument_id=instrument_id, by=BY, at=self.world.at))
        assert code == expected
        self.assert_attempted(lines, token)

    @precondition(lambda self: any(order.debts for order in self.world.orders))
    @rule(pick=PICKS, hours=st.sampled_from([-1, 1, 26, 100, 168, 169]))
    def move_date(self, pick: int, hours: int) -> None:
        """The person has the next attempt made later: once, and not too much."""
        self.step("move_date")
        owing = [order for order in self.world.orders if order.debts]
        debts = [debt for order in owing for debt in order.debts]
        debt = pick_from(pick, [debt for debt in debts if debt.owed] or debts)
        row, at = Obligation.objects.get(order_id=debt.order.id, sequence=debt.sequence), self.world.at
        first = datetime.fromisoformat(row.plan[0]["at"]) if row.plan else at
        to = first + timedelta(hours=hours)
        waits = row.plan and row.moved_at is None and row.paused_at is None
        fits = waits and max(first, at) < to <= first + MOVE_MAX

        code = refusal_code(lambda: move_next_attempt(row.id, to, at=at))

        assert code == ("deduction_in_flight" if debt.in_flight else "" if fits else _why_not(row))
        if not code:
            row = Obligation.objects.get(pk=row.pk)
            moved = datetime.fromisoformat(row.plan[0]["at"])
            assert moved == asleep(to)
            assert row.plan[0]["reason"] in ("moved", "due_moved")
            assert row.moved_at == at

    @precondition(lambda self: self.world.orders)
    @rule(pick=PICKS, reason=REASONS)
    def pause(self, pick: int, reason: str) -> None:
        self.step(f"pause {reason}")
        order = self.order(pick, lambda order: order.owed)
        expected = order.pause(reason, at=self.world.at)
        assert refusal_code(lambda: orders.pause_order(order.id, reason, by=BY, at=self.world.at)) == expected

    @precondition(lambda self: self.world.orders)
    @rule(pick=PICKS, reason=REASONS)
    def resume(self, pick: int, reason: str) -> None:
        """The last reason gone, every planned date lies later by as long as the clock stood still."""
        self.step("resume")
        order = self.order(pick, lambda order: order.pauses and order.owed)
        reason = pick_from(pick, sorted(order.pauses)) if order.pauses else reason
        still = {debt.sequence: debt.paused_at for debt in order.debts}
        before = plans(order.id)
        order.resume(reason, at=self.world.at)
        orders.resume_order(order.id, reason, by=BY, at=self.world.at)
        for debt in order.debts:
            since = still[debt.sequence]
            stood = self.world.at - since if since and debt.owed and debt.paused_at is None else timedelta()
            assert plans(order.id)[debt.sequence] == [moment + stood for moment in before[debt.sequence]]

    @rule(pick=PICKS, behaviour=st.sampled_from(Behaviour), amount=st.sampled_from([1, 5_000, 300_000]))
    def add_instrument(self, pick: int, behaviour: Behaviour, amount: int) -> None:
        person_id, person = self.person(pick)
        if pick % 2 or len(person.tokens) >= INSTRUMENTS_MAX:
            self.step("add_wallet")
            self.world.add_wallet(person_id, amount)
        else:
            self.step("add_instrument")
            self.world.add_account(person_id, behaviour)

    @rule(pick=PICKS)
    @precondition(lambda self: self.count % 10 == 0)
    def stop(self, pick: int) -> None:
        """The person stops a service: no new orders, and the mandate ends with the last payment."""
        self.step("stop")
        agreement_id, agreement = pick_from(pick, list(self.world.agreements.items()))
        agreement.stop()
        credit.stop_agreement(agreement_id, by=BY, at=self.world.at)


def plans(order_id: object) -> dict[int, list[datetime]]:
    rows = Obligation.objects.filter(order_id=order_id).values_list("sequence", "plan")
    return {sequence: [datetime.fromisoformat(planned["at"]) for planned in plan] for sequence, plan in rows}


def asleep(moment: datetime) -> datetime:
    """The moment, or the end of the night it falls into."""
    local = moment + timedelta(hours=8)
    if MORNING <= local.hour < NIGHT:
        return moment
    day = local + timedelta(days=local.hour >= NIGHT)
    return day.replace(hour=MORNING, minute=0, second=0, microsecond=0) - timedelta(hours=8)


def _why_not(row: Obligation) -> str:
    """What a person hears whose next attempt cannot be moved as they want."""
    if row.moved_at is not None:
        return "moved_already"
    return "cannot_move" if row.plan and row.paused_at is None else "nothing_planned"
