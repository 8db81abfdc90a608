"""Crash scenarios: what people, merchants and workers do, what they repeat after a crash, and the expected outcome."""

import contextlib
import json
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F
from django.test import Client

from accounts import deliver
from accounts.models import Person
from billing.channels import bank, bank_refunds
from billing.channels.bank import Behaviour
from billing.models import Refund
from billing.services import (
    attempt_plans,
    callbacks,
    deduct,
    movement_polling,
    outcome_polling,
    pay,
    refund_retries,
    reminders,
)
from credit.models import Agreement
from kernel.idempotency import RUNNING, RUNNING_MAX
from kernel.models import IdempotencyKey, Realm
from kernel.refusal import Refusal
from orders import services as orders
from orders.models import Obligation, Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person

AMOUNT = 1234
#: After so many tries, a twentieth of a second apart, whoever calls goes away for as long as a dead one is waited for.
PATIENCE = 20
#: How far the workers look ahead: until just after the first kill's lease, and until everything has come to rest.
SOON, IN_THE_END = NOON + timedelta(seconds=61), NOON + timedelta(hours=95)
NEXT = """
SELECT min(due) FROM (
    SELECT min(collect_at) AS due FROM orders_obligation WHERE realm_id = %(realm)s
    UNION ALL SELECT min(overdue_from) FROM orders_obligation WHERE realm_id = %(realm)s AND in_flight IS NULL
    UNION ALL SELECT min(day_end_at) FROM orders_obligation WHERE realm_id = %(realm)s
    UNION ALL SELECT min(next_at) FROM accounts_delivery WHERE realm_id = %(realm)s
    UNION ALL SELECT min(ask_at) FROM billing_deduction WHERE realm_id = %(realm)s
    UNION ALL SELECT min(least(ask_at, again_at)) FROM billing_refundpart WHERE realm_id = %(realm)s
    UNION ALL SELECT min(due_at) FROM sandbox_bank.callback c JOIN sandbox_bank.debit d USING (number)
              WHERE delivered_at IS NULL AND d.token LIKE %(token)s) dues
"""
SCRIPTS: dict[Behaviour, dict[str, Any]] = {
    Behaviour.NO_FUNDS_UNTIL: {"until": NOON + timedelta(hours=30)},
    Behaviour.PARTIAL_BALANCE: {"balance_minor": 5000},
}
NEVER_PAYS = {Behaviour.NO_FUNDS, Behaviour.HARD_DECLINE}


@dataclass
class Scenario:
    """One person with one behaviour uses one shop: the merchant calls the API, the workers do the rest."""

    shop: Shop
    person: Person
    agreement: Agreement
    behaviour: Behaviour
    number: str
    #: Orders that were completed before the story begins, due in some days.
    made: list[Order] = field(default_factory=list)

    def prepare(self) -> None:
        """Create the data that exists before the first kill."""

    def first_run(self) -> None:
        """The merchant opens and completes the order, and the workers run."""
        self.call_api()
        self.run_workers(SOON)

    def recovery(self) -> None:
        """The merchant, who got no response, repeats the same requests; new workers process what is due."""
        self.call_api()
        self.run_workers(IN_THE_END)

    @property
    def order_body(self) -> dict[str, object]:
        return {"agreement": self.agreement.public_id, "out_order_no": self.number, "title": "充电宝"}

    def call_api(self) -> None:
        order = self.post("orders", self.order_body, f"open-{self.number}")
        self.post(f"orders/{order['id']}/complete", {"total": AMOUNT}, f"complete-{self.number}")

    def run_workers(self, until: datetime) -> None:
        """Run the jobs at each time at which something is due, up to `until`."""
        realm, at = Realm.objects.get(pk=self.shop.realm_id), NOON
        while at <= until:
            self._round(realm, at)
            due = self._next()
            if due is None:
                return
            at = max(due, at)

    def assert_recovered(self) -> None:
        """Deducted exactly once if the account pays, never if it does not; the order's state matches."""
        order = Order.objects.get(merchant=self.shop.merchant, out_order_no=self.number)
        if self.behaviour in NEVER_PAYS:
            assert (order.state, self.debited) == ("overdue", 0), f"{order.state} {self.debited}"
            late = Obligation.objects.get(order=order, kind="late_fee")
            assert late.amount_minor == AMOUNT // 100, "one day has ended"
        else:
            assert (order.state, self.debited) == ("deducted", AMOUNT), f"{order.state} {self.debited}"

    @property
    def debited(self) -> int:
        """The total of the bank's debits of the person's accounts."""
        tokens = self.person.instruments.filter(channel="sandbox").values_list("token", flat=True)
        return sum(money.minor for token in tokens for money in bank.debits_of(token))

    def post(self, path: str, body: Any, key: str, *, also: tuple[int, ...] = ()) -> Any:
        headers = {"HTTP_AUTHORIZATION": f"Bearer {self.shop.secret}", "HTTP_IDEMPOTENCY_KEY": key}
        for tries in range(100):
            answer = Client().post(f"/v1/{path}", json.dumps(body), content_type="application/json", **headers)
            if answer.status_code != 409 or answer.json()["code"] != "request_in_progress":
                break
            time.sleep(0.05)  # the killed request's connection is still open in the database; the client retries
            if tries == PATIENCE:  # then the key's lease, which the killed request held, is made to expire
                left = IdempotencyKey.objects.filter(key=key, status=RUNNING)
                left.update(created_at=F("created_at") - RUNNING_MAX)
        assert answer.status_code in {200, 201, *also}, answer.content
        return answer.json()

    def create_due_orders(self, *amounts: int) -> None:
        """Orders of these amounts, used and due in two days."""
        for amount in amounts:
            order = make_order(self.shop, self.agreement)
            final = orders.CompletionRequest(total=amount, due_at=NOON + timedelta(days=2))
            self.made.append(orders.complete_order(order.id, final, by=BY, at=NOON))

    def _next(self) -> datetime | None:
        with connection.cursor() as cursor:
            cursor.execute(NEXT, {"realm": self.shop.realm_id, "token": f"{self.shop.realm_id}:%"})
            due: datetime | None = cursor.fetchone()[0]
        return due

    def _round(self, realm: Realm, at: datetime) -> None:
        deduct.deduct_due(realm.id, at=at)
        outcome_polling.poll_deductions(realm.id, at=at)
        movement_polling.poll_refund_parts(realm.id, at=at)
        refund_retries.retry_refunds(realm.id, at=at)
        callbacks.deliver_realm_callbacks(Realm(id=realm.id, mode="test", frozen_at=at), real=at)
        orders.mark_overdue(realm.id, at=at, limit=100)
        orders.close_days(realm.id, at=at, limit=100)
        reminders.remind_all(realm.id, at=at)
        deliver.deliver_due(realm.id, at=at)


class ManualPaymentScenario(Scenario):
    """Before anything is due, the order is reduced, paused, moved and paid by hand."""

    def prepare(self) -> None:
        self.create_due_orders(500, 300, 400)

    def first_run(self) -> None:
        self.run_actions()
        self.run_workers(SOON)

    def recovery(self) -> None:
        self.run_actions()
        self.run_workers(IN_THE_END + timedelta(days=2))

    def run_actions(self) -> None:
        """Run every action; one that was completed before the crash is refused or changes nothing."""
        lowered, moved, paused = self.made
        self.post(
            f"orders/{lowered.public_id}/modify", {"total": 450, "reason": "少收"}, f"m-{self.number}", also=(409, 422)
        )
        later = NOON + timedelta(days=3)
        for act in (
            lambda: orders.pause_order(paused.id, "problem_reported", by=BY, at=NOON),
            lambda: attempt_plans.move_next_attempt(moved.obligations.get(kind="principal").id, later, at=NOON),
            lambda: pay.pay_now(lowered.id, amount_minor=100, by=BY, at=NOON),
            lambda: orders.resume_order(paused.id, "problem_reported", by=BY, at=NOON),
            lambda: pay.pay_all(self.person.id, by=BY, at=NOON),
        ):
            with contextlib.suppress(Refusal):
                act()

    def assert_recovered(self) -> None:
        states = {order.state for order in Order.objects.filter(pk__in=[order.id for order in self.made])}
        if self.behaviour in NEVER_PAYS:
            assert (states, self.debited) == ({"overdue"}, 0), f"{states} {self.debited}"
        else:
            assert (states, self.debited) == ({"deducted"}, 1150), f"{states} {self.debited}"


class WriteOffScenario(Scenario):
    """A debt is written off, and then the person pays it from another card."""

    def prepare(self) -> None:
        self.create_due_orders(500)
        self.made[0].obligations.update(collect_at=None)  # nobody asked; what is tested begins later
        late = NOON + timedelta(days=6)
        orders.mark_overdue(self.shop.realm_id, at=late, limit=10)
        orders.close_days(self.shop.realm_id, at=late + timedelta(days=3), limit=10)

    def first_run(self) -> None:
        at = NOON + timedelta(days=10)
        lost = self.made[0].id
        for act in (
            lambda: orders.write_off(lost, "查无此人", by=BY, at=at),
            lambda: pay.pay_now(lost, amount_minor=200, by=BY, at=at),
            lambda: pay.pay_now(lost, by=BY, at=at),
        ):
            with contextlib.suppress(Refusal):
                act()

    def recovery(self) -> None:
        self.first_run()
        for days in range(10, 16):
            at = NOON + timedelta(days=days, minutes=10)
            outcome_polling.poll_deductions(self.shop.realm_id, at=at)
            realm = Realm(id=self.shop.realm_id, mode="test", frozen_at=at)
            callbacks.deliver_realm_callbacks(realm, real=at)
            with contextlib.suppress(Refusal):
                pay.pay_all(self.person.id, by=BY, at=at)

    def assert_recovered(self) -> None:
        order = Order.objects.get(pk=self.made[0].pk)
        rows = {row.state for row in order.obligations.all()}
        if self.behaviour in NEVER_PAYS:
            assert (order.state, rows, self.debited) == ("overdue", {"written_off"}, 0)
        else:
            assert (order.state, rows) == ("deducted", {"paid"}), f"{order.state} {rows}"
            assert self.debited == sum(row.amount_minor for row in order.obligations.all()) > 500


class RefundScenario(Scenario):
    """A debt is paid in two parts, and then the merchant refunds a part of it, twice under one number."""

    def prepare(self) -> None:
        self.create_due_orders(500)
        for amount in (200, 300):
            bank.change_account(self.token, Behaviour.PAYS)
            pay.pay_now(self.made[0].id, amount_minor=amount, by=BY, at=NOON)
        bank.change_account(self.token, self.behaviour, **SCRIPTS.get(self.behaviour, {}))

    def first_run(self) -> None:
        asked = {"amount": 350, "reason": "退货", "out_refund_no": f"R-{self.number}"}
        self.post(f"orders/{self.made[0].public_id}/refunds", asked, f"r-{self.number}")
        self.run_workers(SOON)

    def recovery(self) -> None:
        asked = {"amount": 350, "reason": "退货", "out_refund_no": f"R-{self.number}"}
        self.post(f"orders/{self.made[0].public_id}/refunds", asked, f"again-{self.number}")
        self.run_workers(IN_THE_END)

    @property
    def token(self) -> str:
        return str(self.person.instruments.get(channel="sandbox").token)

    def assert_recovered(self) -> None:
        """One refund, and the order says exactly what really went back; only a closed account misses its part."""
        refund = Refund.objects.get(order=self.made[0])
        back = sum(money.minor for money in bank_refunds.refunds_of(self.token))
        order = Order.objects.get(pk=self.made[0].pk)
        assert order.refunded_minor == refund.returned_minor == back, f"{order.refunded_minor} {back}"
        whole = self.behaviour is not Behaviour.HARD_DECLINE
        assert (refund.state, back) == (("succeeded", 350) if whole else ("failed", 0)), f"{refund.state} {back}"


def create_scenario(scenario_type: type[Scenario], shop: Shop, behaviour: Behaviour, number: str) -> Scenario:
    """Somebody new with this behaviour, in the shop's realm, whose clock stands at noon."""
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    person = make_person(shop, behaviour, **SCRIPTS.get(behaviour, {}))
    scenario = scenario_type(shop, person, make_agreement(shop, person), behaviour, number)
    scenario.prepare()
    return scenario
