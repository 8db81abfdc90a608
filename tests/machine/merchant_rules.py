"""The rules of the merchant, who calls the API, each request with its own idempotency key."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from billing.channels.bank import Behaviour
from kernel import ids
from orders import models as owed
from orders import services as orders
from tests.api import idempotency_header
from tests.conftest import BY
from tests.machine.base import ANYTHING, PICKS, Rules, pick_from, refusal_code
from tests.machine.model import Order
from tests.unchanged import assert_unchanged

OWED = st.sampled_from([83, 1_234, 5_000, 60_001, 120_000])
AMOUNTS = OWED | st.sampled_from([1, 400_000, 400_001])
DUE_IN = st.sampled_from([None, None, 0, 1, 5, 40])
SHARES = st.sampled_from([0, 1, 33, 50, 99, 100, 101])
CONFIRMATION, DUE_LATEST = timedelta(days=30), timedelta(days=90)


class MerchantRules(Rules):
    @initialize(amounts=st.lists(OWED, min_size=3, max_size=5), days=DUE_IN, behaviour=st.sampled_from(Behaviour))
    def begins_with_some_debts(self, amounts: list[int], days: int | None, behaviour: Behaviour) -> None:
        """So that there is something to pay, to answer and to end from the first step on."""
        token = next(iter(self.world.bank.accounts))
        until = self.world.at + timedelta(days=3) if behaviour is Behaviour.NO_FUNDS_UNTIL else None
        self.world.script(token, behaviour, until, 60_000 if behaviour is Behaviour.PARTIAL_BALANCE else None)
        for place, amount in enumerate(amounts):
            self.use(pick=place * ANYTHING, amount=amount, days=days)
        for place in (0, 1):
            self.open(pick=place * ANYTHING, amount=amounts[0])

    @rule(pick=PICKS, amount=OWED, days=DUE_IN)
    def use(self, pick: int, amount: int, days: int | None) -> None:
        """Somebody orders, and owes all of it a moment later."""
        before = len(self.world.orders)
        self.open(pick, amount)
        if len(self.world.orders) > before and self.world.orders[-1].state == "open":
            self.finish(self.world.orders[-1], amount, days)

    @rule(pick=PICKS, amount=AMOUNTS)
    def open(self, pick: int, amount: int) -> None:
        self.step("open")
        agreement_id, agreement = pick_from(pick, list(self.world.agreements.items()))
        person, terms, at = agreement.person, agreement.terms, self.world.at
        expected = "" if agreement.state == "active" else "agreement_not_active"
        if not expected:
            expected = "above_ceiling" if amount > terms.ceiling else "" if person.can_owe(amount) else "order_refused"
        body = {
            "agreement": ids.public("agr", agreement_id),
            "out_order_no": f"N{len(self.world.sent)}-{self.count}",
            "title": "充电宝",
            "amount" if terms.fixed else "ceiling": amount,
        }

        code, told = self.world.call("orders", body, status=201)

        assert code == expected
        if not code:
            key = ids.parse("ord", told["id"])
            assert key is not None
            waits = at + CONFIRMATION if terms.fixed else None
            order = Order(key, agreement, "created" if terms.fixed else "open", amount, waits)
            self.world.orders.append(order)
            person.orders.append(order)

    @precondition(lambda self: self.world.orders)
    @rule(pick=PICKS, share=SHARES, days=DUE_IN | st.just(91))
    def complete(self, pick: int, share: int, days: int | None) -> None:
        order = self.order(pick, lambda order: order.state == "open")
        self.finish(order, order.ceiling * share // 100, days)

    def finish(self, order: Order, total: int, days: int | None) -> None:
        self.step("complete")
        at = self.world.at
        due_at = None if days is None else at + timedelta(days=days)
        body = {"total": total} | ({} if due_at is None else {"due_at": due_at.isoformat()})
        late = order.state == "open" and due_at is not None and due_at > at + DUE_LATEST
        expected = "times_invalid" if late else order.complete(total, due_at, at=at)

        code, _ = self.world.call(f"orders/{ids.public('ord', order.id)}/complete", body)

        assert code == expected

    @precondition(lambda self: self.world.orders)
    @rule(pick=PICKS, reason=st.sampled_from(["broken", "out of stock"]))
    def cancel(self, pick: int, reason: str) -> None:
        self.step("cancel")
        order = self.order(pick, lambda order: order.owed or order.state == "created")
        expected = order.cancel(reason)
        code, _ = self.world.call(f"orders/{ids.public('ord', order.id)}/cancel", {"reason": reason})
        assert code == expected

    @precondition(lambda self: self.world.orders)
    @rule(pick=PICKS, share=SHARES)
    def lower(self, pick: int, share: int) -> None:
        self.step("lower")
        order = self.order(pick, lambda order: order.owed)
        total = (order.total or 0) * share // 100 + (share > 100)
        expected = order.lower(total)
        path = f"orders/{ids.public('ord', order.id)}/modify"
        code, _ = self.world.call(path, {"total": total, "reason": "goodwill"})
        assert code == expected

    @precondition(lambda self: self.world.orders)
    @rule(pick=PICKS, reference=st.sampled_from(["till-1", "till-2"]), ago=st.sampled_from([0, 0, 60, 4 * 86_400, -1]))
    def mark_paid(self, pick: int, reference: str, *, ago: int) -> None:
        self.step("mark_paid")
        order = self.order(pick, lambda order: order.owed)
        paid_at = self.world.at - timedelta(seconds=ago)
        created_at = owed.Order.objects.values_list("created_at", flat=True).get(pk=order.id)
        expected = order.mark_paid(reference, paid_at, created_at, at=self.world.at)
        path = f"orders/{ids.public('ord', order.id)}/mark_paid"
        code, _ = self.world.call(path, {"paid_at": paid_at.isoformat(), "reference": reference})
        assert code == expected

    @precondition(lambda self: self.world.orders)
    @rule(pick=PICKS)
    def collect_now(self, pick: int) -> None:
        self.step("collect_now")
        order = self.order(pick, lambda order: order.owed)
        rows = owed.Obligation.objects.filter(order_id=order.id)
        chosen = {row.sequence for row in rows if row.chosen_at and row.chosen_at > self.world.at}
        expected, lines = self.world.collection.collect(order, chosen, at=self.world.at)
        code, _ = self.world.call(f"orders/{ids.public('ord', order.id)}/collect", {})
        assert code == expected
        self.assert_attempted(lines, None)

    @precondition(lambda self: self.world.orders)
    @rule(pick=PICKS)
    def write_off(self, pick: int) -> None:
        """A colleague gives up what is overdue."""
        self.step("write_off")
        order = self.order(pick, lambda order: order.state == "overdue")
        expected = order.write_off()
        assert refusal_code(lambda: orders.write_off(order.id, "gone", by=BY, at=self.world.at)) == expected

    @precondition(lambda self: self.world.sent)
    @rule(pick=PICKS, changed=st.booleans())
    def send_again(self, pick: int, *, changed: bool) -> None:
        """The same request under the same key is answered as before; another one under it is refused."""
        self.step("send_again")
        sent = pick_from(pick, self.world.sent)
        body = sent.body | ({"attach": "changed"} if changed else {})
        with assert_unchanged():
            answer = self.world.api.post(sent.path, body, **idempotency_header(sent.key))
        if changed:
            assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        else:
            assert (answer.status_code, answer.content) == (sent.status, sent.content)
            assert answer["Idempotent-Replayed"] == "true"
