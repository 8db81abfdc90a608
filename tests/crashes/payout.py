"""A scenario in which a merchant's day is settled and paid out."""

from datetime import datetime, timedelta

from billing.channels import bank_payouts
from billing.channels.bank import Behaviour
from billing.models import SettlementLine
from billing.services import callbacks, deduct, movement_polling, payouts, settlements
from billing.services.payout_accounts import AccountDetails, approve_payout_account, request_payout_account
from kernel.actor import Actor
from kernel.models import Realm
from orders import services as orders
from tests.conftest import BY, NOON, make_agreement, make_order, make_person, make_shop
from tests.crashes.scenarios import Scenario
from tests.settlement.helpers import MIDNIGHT


class PayoutScenario(Scenario):
    """A merchant of their own has sold something; their day is settled, and paid out to a bank that behaves so."""

    ENDINGS = {Behaviour.HARD_DECLINE: "0002", Behaviour.TIMEOUT_THEN_PAID: "0003"} | {
        Behaviour.TIMEOUT_THEN_NOT_PAID: "0004",
        Behaviour.LATE_CALLBACK: "0005",
    }

    def prepare(self) -> None:
        self.shop = make_shop(f"店 {self.number}")
        orders.complete_order(
            make_order(self.shop, make_agreement(self.shop, make_person(self.shop))).id,
            orders.CompletionRequest(total=500),
            by=BY,
            at=NOON,
        )
        deduct.deduct_due(self.shop.realm_id, at=NOON)
        number = f"622202123456{self.ENDINGS.get(self.behaviour, '7890')}"
        before, account = NOON - timedelta(days=2), AccountDetails(holder="x", bank="y", number=number)
        row = request_payout_account(self.shop.merchant.id, account, by=BY, at=before)
        approve_payout_account(row.id, by=Actor.system("another"), at=before)

    def first_run(self) -> None:
        self.day_ends(MIDNIGHT)

    def recovery(self) -> None:
        for later in (0, 61, 400, 4_000, 90_000, 90_400, 180_000, 180_400, 270_000, 270_400):
            self.day_ends(MIDNIGHT + timedelta(seconds=later))

    def day_ends(self, at: datetime) -> None:
        realm = self.shop.realm_id
        settlements.settle_due(realm, at=at)
        payouts.pay_out_due(realm, at=at)
        callbacks.deliver_realm_callbacks(Realm(id=realm, mode="test", frozen_at=at), real=at)
        movement_polling.poll_payouts(realm, at=at)

    def assert_recovered(self) -> None:
        """What was sold is in one settlement, and has arrived once, or is still the merchant's."""
        arrived = [money.minor for money in bank_payouts.payouts_to(f"{self.shop.realm_id}:out:")]
        assert arrived == ([] if self.behaviour == Behaviour.HARD_DECLINE else [497]), arrived
        lines = SettlementLine.objects.filter(merchant=self.shop.merchant, kind="gross")
        assert list(lines.values_list("amount_minor", flat=True)) == [500]
