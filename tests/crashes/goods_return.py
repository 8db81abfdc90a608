"""A scenario in which a person returns goods with an early refund, and the merchant confirms the return."""

from billing.channels import bank, bank_refunds
from billing.channels.bank import Behaviour
from billing.models import Refund, Return
from billing.services import pay
from orders.models import Order
from tests.conftest import BY, NOON
from tests.crashes.scenarios import IN_THE_END, SCRIPTS, SOON, Scenario


class GoodsReturnScenario(Scenario):
    """What was paid by hand in two parts goes back ahead of the goods; the merchant says twice that they came."""

    def prepare(self) -> None:
        self.create_due_orders(500)
        for amount in (200, 300):
            bank.change_account(self.token, Behaviour.PAYS)
            pay.pay_now(self.made[0].id, amount_minor=amount, by=BY, at=NOON)
        bank.change_account(self.token, self.behaviour, **SCRIPTS.get(self.behaviour, {}))

    def first_run(self) -> None:
        self.send_back(f"s-{self.number}")
        self.confirm(f"c-{self.number}")
        self.run_workers(SOON)

    def recovery(self) -> None:
        self.send_back(f"s-again-{self.number}")
        self.run_workers(IN_THE_END)
        self.confirm(f"c-again-{self.number}")
        self.run_workers(IN_THE_END)

    def send_back(self, key: str) -> None:
        parcel = {"carrier": "顺丰", "tracking_number": f"SF{self.number}", "reason": "不合适", "amount": 350}
        self.post(f"orders/{self.made[0].public_id}/returns", parcel, key)

    def confirm(self, key: str) -> None:
        row = Return.objects.filter(order=self.made[0]).first()
        if row is not None:
            self.post(f"returns/{row.public_id}/confirm", {}, key, also=(409,))

    @property
    def token(self) -> str:
        return str(self.person.instruments.get(channel="sandbox").token)

    def assert_recovered(self) -> None:
        """One return, confirmed; exactly what the refunds say went back, and nothing is advanced any more."""
        row = Return.objects.get(order=self.made[0])
        back = sum(money.minor for money in bank_refunds.refunds_of(self.token))
        order = Order.objects.get(pk=self.made[0].pk)
        said = sum(refund.returned_minor for refund in Refund.objects.filter(order=order))
        assert (row.state, order.advanced_minor) == ("confirmed", 0), f"{row.state} {order.advanced_minor}"
        assert order.refunded_minor == said == back, f"{order.refunded_minor} {said} {back}"
        assert back == (0 if self.behaviour is Behaviour.HARD_DECLINE else 350), back
