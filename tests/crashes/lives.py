"""A life to be killed in: a merchant's two calls, the workers' rounds after them, and what must come of it."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.test import Client

from accounts.models import Person
from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.services import ask, callbacks, deduct
from credit.models import Agreement
from kernel.models import Realm
from kernel.money import Money
from orders import services as orders
from orders.models import Order
from tests.conftest import NOON, Shop, opened, someone

AMOUNT = 1234
#: How far the workers look ahead: until just after the first kill's lease, and until everything has come to rest.
SOON, IN_THE_END = NOON + timedelta(seconds=61), NOON + timedelta(hours=95)
NEXT = """
SELECT min(due) FROM (
    SELECT min(collect_at) AS due FROM orders_obligation WHERE realm_id = %(realm)s
    UNION ALL SELECT min(overdue_from) FROM orders_obligation WHERE realm_id = %(realm)s AND in_flight IS NULL
    UNION ALL SELECT min(ask_at) FROM billing_deduction WHERE realm_id = %(realm)s
    UNION ALL SELECT min(due_at) FROM sandbox_bank.callback c JOIN sandbox_bank.debit d USING (number)
              WHERE delivered_at IS NULL AND d.token LIKE %(token)s) dues
"""
SCRIPTS: dict[Behaviour, dict[str, Any]] = {
    Behaviour.NO_FUNDS_UNTIL: {"until": NOON + timedelta(hours=30)},
    Behaviour.PARTIAL_BALANCE: {"balance_minor": 5000},
}
NEVER_PAYS = {Behaviour.NO_FUNDS, Behaviour.HARD_DECLINE}


@dataclass(frozen=True)
class Life:
    """One person with one behaviour about to use one shop."""

    shop: Shop
    person: Person
    agreement: Agreement
    behaviour: Behaviour
    number: str

    def first_run(self) -> None:
        """The merchant opens and completes the order, and the workers come by."""
        self.merchant_calls()
        self.workers_come(SOON)

    def recovery(self) -> None:
        """The merchant, who heard nothing, sends the same requests again; new workers take over what is due."""
        self.merchant_calls()
        self.workers_come(IN_THE_END)

    def merchant_calls(self) -> None:
        wish = {"agreement": self.agreement.public_id, "out_order_no": self.number, "title": "充电宝"}
        order = self._post("orders", wish, f"open-{self.number}")
        self._post(f"orders/{order['id']}/complete", {"total": AMOUNT}, f"complete-{self.number}")

    def workers_come(self, until: datetime) -> None:
        """Whenever something is due, in order, up to `until`."""
        realm, at = Realm.objects.get(pk=self.shop.realm_id), NOON
        while at <= until:
            self._round(realm, at)
            due = self._next()
            if due is None:
                return
            at = max(due, at)

    def _next(self) -> datetime | None:
        with connection.cursor() as cursor:
            cursor.execute(NEXT, {"realm": self.shop.realm_id, "token": f"{self.shop.realm_id}:%"})
            due: datetime | None = cursor.fetchone()[0]
        return due

    def _round(self, realm: Realm, at: datetime) -> None:
        deduct.deduct_due(realm.id, at=at)
        ask.ask_unknown(realm.id, at=at)
        callbacks.deliver_sandbox_callbacks(Realm(id=realm.id, mode="test", frozen_at=at), real=at)
        orders.mark_overdue(realm.id, at=at, limit=100)

    def must_have_come_right(self) -> None:
        """Taken exactly once where the account pays, never where it does not, and the order says so."""
        order = Order.objects.get(merchant=self.shop.merchant, out_order_no=self.number)
        taken = bank.debits_of(self.person.instruments.get().token)
        if self.behaviour in NEVER_PAYS:
            assert (order.state, taken) == ("overdue", []), f"{order.state} {taken}"
        else:
            assert (order.state, taken) == ("deducted", [Money(AMOUNT)]), f"{order.state} {taken}"

    def _post(self, path: str, body: Any, key: str) -> Any:
        headers = {"HTTP_AUTHORIZATION": f"Bearer {self.shop.secret}", "HTTP_IDEMPOTENCY_KEY": key}
        answer = Client().post(f"/v1/{path}", json.dumps(body), content_type="application/json", **headers)
        assert answer.status_code in {200, 201}, answer.content
        return answer.json()


def begin(shop: Shop, behaviour: Behaviour, number: str) -> Life:
    """Somebody new with this behaviour, in the shop's realm, whose clock stands at noon."""
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    person = someone(shop, behaviour, **SCRIPTS.get(behaviour, {}))
    return Life(shop, person, opened(shop, person), behaviour, number)
