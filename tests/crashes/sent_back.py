"""A life in which a person sends goods back, has their money ahead, and the merchant confirms that they came."""

from billing.channels import bank, bank_refunds
from billing.channels.bank import Behaviour
from billing.models import Refund, Return
from billing.services import pay
from orders.models import Order
from tests.conftest import BY, NOON
from tests.crashes.lives import IN_THE_END, SCRIPTS, SOON, Life


class IsSentBack(Life):
    """What was paid by hand in two parts goes back ahead of the goods; the merchant says twice that they came."""

    def prepare(self) -> None:
        self.owe(500)
        for amount in (200, 300):
            bank.change_account(self.token, Behaviour.PAYS)
            pay.pay_now(self.made[0].id, amount_minor=amount, by=BY, at=NOON)
        bank.change_account(self.token, self.behaviour, **SCRIPTS.get(self.behaviour, {}))

    def first_run(self) -> None:
        self.send_back(f"s-{self.number}")
        self.confirm(f"c-{self.number}")
        self.workers_come(SOON)

    def recovery(self) -> None:
        self.send_back(f"s-again-{self.number}")
        self.workers_come(IN_THE_END)
        self.confirm(f"c-again-{self.number}")
        self.workers_come(IN_THE_END)

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

    def must_have_come_right(self) -> None:
        """One return, confirmed; exactly what the refunds say went back, and nothing is advanced any more."""
        row = Return.objects.get(order=self.made[0])
        back = sum(money.minor for money in bank_refunds.refunds_of(self.token))
        order = Order.objects.get(pk=self.made[0].pk)
        said = sum(refund.returned_minor for refund in Refund.objects.filter(order=order))
        assert (row.state, order.advanced_minor) == ("confirmed", 0), f"{row.state} {order.advanced_minor}"
        assert order.refunded_minor == said == back, f"{order.refunded_minor} {said} {back}"
        assert back == (0 if self.behaviour is Behaviour.HARD_DECLINE else 350), back
