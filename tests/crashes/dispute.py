"""A scenario in which the bank reverses a deduction."""

import contextlib
from datetime import timedelta

from billing.channels import bank, bank_disputes
from billing.channels.bank import Behaviour
from billing.services import outcome_polling, pay
from kernel.refusal import Refusal
from orders.models import Order
from tests.conftest import BY, NOON
from tests.crashes.scenarios import SOON, Scenario


class DisputeScenario(Scenario):
    """What was paid by hand is taken back by the bank, and paid again by hand."""

    def prepare(self) -> None:
        self.create_due_orders(500)
        bank.change_account(self.token, Behaviour.PAYS)
        pay.pay_now(self.made[0].id, by=BY, at=NOON)
        bank_disputes.reverse_debit(self.made[0].deduction_lines.get().deduction.number, "no_funds", at=NOON)

    def first_run(self) -> None:
        self.run_workers(SOON)
        with contextlib.suppress(Refusal):
            pay.pay_now(self.made[0].id, by=BY, at=NOON + timedelta(minutes=2))

    def recovery(self) -> None:
        """What may have been sent is asked about until it is known; then whoever still owes it pays again."""
        self.first_run()
        for minutes in (4, 15, 75, 1_600):
            at = NOON + timedelta(minutes=minutes)
            outcome_polling.poll_deductions(self.shop.realm_id, at=at)
            with contextlib.suppress(Refusal):
                pay.pay_now(self.made[0].id, by=BY, at=at)

    @property
    def token(self) -> str:
        return str(self.person.instruments.get(channel="sandbox").token)

    def assert_recovered(self) -> None:
        """Taken twice, taken back once: the order is paid, and the bank has given up one of the two."""
        order = Order.objects.get(pk=self.made[0].pk)
        assert (order.state, self.debited) == ("deducted", 1000), f"{order.state} {self.debited}"
        assert [money.minor for money in bank_disputes.reversals_of(self.token)] == [500]
