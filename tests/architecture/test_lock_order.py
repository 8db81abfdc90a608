"""Lock order follows import order: each transaction first locks tables of higher layers, then of lower ones."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from accounts.models import Person
from billing.channels import bank
from billing.models import Settlement
from billing.services.attempt_plans import move_next_attempt
from billing.services.callbacks import deliver_realm_callbacks
from billing.services.deduct import deduct_due
from billing.services.instruments import (
    move_instrument,
    open_wallet,
    remove_instrument,
    set_instrument_limits,
    sign_with_instrument,
)
from billing.services.movement_polling import poll_payouts, poll_refund_parts
from billing.services.outcome_polling import poll_deductions
from billing.services.pay import collect_now, pay_all, pay_now
from billing.services.payout_accounts import AccountDetails, approve_payout_account, request_payout_account
from billing.services.payouts import pay_out_due
from billing.services.refunds import RefundDetails, refund_order
from billing.services.settlements import settle_due
from billing.services.wallets import top_up
from credit import services as credit
from kernel.actor import Actor
from kernel.prepared_statements import expand_sql
from merchants import services as merchants
from orders import services as orders
from personal.services import erasures, export_builder, exports
from personal.services.proofs import issue_proof, revoke_proof
from tests.billing.return_helpers import play_all_returns
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.office.approval_helpers import approve_proposals
from tests.sql_messages import leading, split_statements, uuids

ORDER = (
    "office",
    "personal",
    "billing",
    "orders_concern",
    "orders_order",
    "orders_pause",
    "orders_obligation",
    "credit_profile",
    "credit_agreement",
)
REST = len(ORDER)
#: Apps in ORDER that stand for all their tables.
WHOLE_APPS = ("office", "personal", "billing")
#: Rows of these tables change only under the lock of their person's profile.
LOCKED_BY_PROFILE = ("credit_currencylimit",)
LOCK = re.compile(r"FOR (?:NO KEY )?UPDATE(?: OF \"?(?P<of>\w+)\"?)?")
WORD = r"(?:SET|WHERE|ON|OF|FOR|ORDER|JOIN|INNER|LEFT|LIMIT)\b"
NAME, ALIAS = rf'"?(?P<table>(?!{WORD})\w+)"?', rf'\s+(?:AS\s+)?"?(?P<alias>(?!{WORD})\w+)'
PAIR = re.compile(rf"(?:FROM|JOIN|UPDATE)\s+{NAME}(?:{ALIAS})?")
#: `kernel.bulk_writes.update_all`: each row of its parameter starts with the key.
BULK_UPDATE = re.compile(r"UPDATE \S+ AS t SET .* FROM json_to_recordset\(")
UPDATE = re.compile(r"(?:^|[()]\s*)\s*UPDATE\s+\"?(?P<table>\w+)")


def locked_by(sql: str) -> list[str]:
    """The tables in which a statement locks existing rows."""
    found = []
    for lock in LOCK.finditer(sql):
        names = [(pair["table"], pair["alias"]) for pair in PAIR.finditer(sql)]
        wanted = lock["of"]
        found.append(next((table for table, alias in names if wanted in (table, alias, None)), sql))
    return found + [update["table"] for update in UPDATE.finditer(sql)]


def rank(table: str) -> int:
    for place, name in enumerate(ORDER):
        if table == name or (name in WHOLE_APPS and table.startswith(f"{name}_")):
            return place
    return REST


class LockRecorder:
    """Records the order in which each transaction first locks tables, and violations of the rule."""

    def __init__(self) -> None:
        self.transactions, self.violations = 0, list[str]()
        self.begin()

    def begin(self) -> None:
        self.locked: list[str] = []
        self.created: set[UUID] = set()
        self.transactions += 1

    def record(self, sql: str, params: Any) -> None:
        sql = expand_sql(sql)
        if sql.lstrip().startswith("INSERT"):
            self.created |= uuids(params)
        where = sql.rpartition("WHERE")[2]
        asked = uuids(list(params or ())[-where.count("%s") :]) if "%s" in where else set()
        if BULK_UPDATE.match(sql):
            asked = leading(params[0])
        if asked and asked <= self.created:
            return  # rows created in this transaction cannot be locked by another one
        for table in locked_by(sql):
            if table in self.locked or table in LOCKED_BY_PROFILE:
                continue
            if self.locked and rank(table) < max(map(rank, self.locked)):
                self.violations.append(f"{table} after {' → '.join(self.locked)}: {sql[:160]}")
            self.locked.append(table)

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        for statement, values in split_statements(sql, params):
            self.record(statement, values)
        return execute(sql, params, many, context)


@contextmanager
def record_locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[LockRecorder]:
    watch, switch = LockRecorder(), connection.set_autocommit

    def set_autocommit(autocommit: bool, **how: Any) -> None:  # noqa: FBT001
        watch.begin()
        switch(autocommit, **how)

    with monkeypatch.context() as patched, connection.execute_wrapper(watch):
        patched.setattr(connection, "set_autocommit", set_autocommit)
        yield watch


@pytest.mark.django_db(transaction=True)
def test_everything_locks_higher_layers_first(
    power_bank: Shop, shop: Shop, parcel: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviours = ["pays", "no_funds", "hard_decline", "slow", "timeout_then_not_paid", "late_callback"]
    with record_locks(monkeypatch) as watch:
        run_everything(power_bank, shop, parcel, behaviours)

    assert watch.violations == []
    assert watch.transactions > 100


def run_everything(power_bank: Shop, shop: Shop, parcel: Shop, behaviours: list[str]) -> None:
    """Run everything that can happen to orders, much of it in one batch."""
    merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    people = [make_person(power_bank, behaviour) for behaviour in behaviours]
    owing = [make_due_order(power_bank, person, yuan("6")) for person in people]
    twice = make_order(power_bank, people[0].agreements.get(), ceiling=700)
    orders.complete_order(twice.id, orders.CompletionRequest(total=700), by=BY, at=NOON)
    confirmed = make_order(shop, make_agreement(shop, make_person(shop)))
    request = orders.OrderRequest(
        agreement_id=confirmed.agreement_id, out_order_no="w", title="x", currency="CNY", amount=1
    )
    orders.open_order(shop.merchant.id, request, by=BY, at=NOON)
    orders.complete_order(confirmed.id, orders.CompletionRequest(total=0), by=BY, at=NOON)
    advance = make_due_order(parcel, make_person(parcel), yuan("3"))
    orders.reduce_total(advance.id, 200, "x", by=BY, at=NOON)
    orders.reduce_total(advance.id, 0, "x", by=BY, at=NOON)
    agreement = advance.agreement
    gone, cash, forgiven = (make_order(parcel, agreement, ceiling=500) for _ in range(3))
    orders.cancel_order(gone.id, "x", by=BY, at=NOON)
    for order in (cash, forgiven):
        orders.complete_order(order.id, orders.CompletionRequest(total=100), by=BY, at=NOON)
    credit.stop_agreement(agreement.id, by=BY, at=NOON)
    orders.mark_paid(cash.id, NOON, "till", by=BY, at=NOON)
    orders.cancel_order(forgiven.id, "x", by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    for seconds in (5, 35, 70, 400, 4_000):
        poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=seconds))
    deliver_realm_callbacks(power_bank.merchant.realm, real=NOON + timedelta(days=1))
    late = NOON + timedelta(days=4)
    orders.mark_overdue(power_bank.realm_id, at=late, limit=9)
    orders.expire_unconfirmed(shop.realm_id, at=NOON + timedelta(days=31), limit=9)
    poor = people[1]
    collect_now(owing[1].id, by=BY, at=late)
    open_wallet(poor, at=late)
    top_up(poor.id, yuan("6"), "bank-1", at=late)
    credit.stop_agreement(poor.agreements.get().id, by=BY, at=late)
    wallet = poor.instruments.get(channel="wallet").id
    pay_now(owing[1].id, amount_minor=100, instrument_id=wallet, by=BY, at=late)
    move_next_attempt(owing[1].obligations.get().id, late + timedelta(days=2), at=late)
    move_instrument(poor.id, wallet, 0, by=BY, at=late)
    set_instrument_limits(poor.id, wallet, yuan("1"), None, by=BY, at=late)
    pay_all(poor.id, instrument_id=wallet, by=BY, at=late)
    terms = {"name": "雨伞", "mode": "dynamic", "ceiling_minor": 900, "currency": "CNY"}
    umbrella = merchants.offer_service(power_bank.merchant.id, terms, by=BY, at=late)
    asked = credit.request_agreement(power_bank.merchant.id, umbrella.id, "u-2", by=BY, at=late)
    sign_with_instrument(asked.id, Person.objects.get(pk=people[0].pk), people[0].instruments.get().id, by=BY, at=late)
    card = poor.instruments.exclude(pk=wallet).get()
    remove_instrument(poor.id, card.id, by=BY, at=late)
    assert poor.agreements.get().state == "terminated"
    run_concerns(power_bank)
    run_refunds(power_bank)
    run_erasure(power_bank)
    approve_proposals(power_bank)
    run_payouts(power_bank)
    merchants.deliver_due(power_bank.realm_id, at=late, limit=20)


def run_erasure(shop: Shop) -> None:
    """Run data exports, proofs and withdrawn erasures; then erase a person."""
    person = make_person(shop)
    real, then = NOON + timedelta(days=1), NOON + timedelta(days=9)
    make_due_order(shop, person, yuan("2"))
    deduct_due(shop.realm_id, at=NOON)
    exports.request_export(person.id, by=BY, at=real)
    export_builder.make_exports(at=real, seconds=9)
    for _ in range(2):
        proof = issue_proof(person.id, ["band"], 7, by=BY, at=real)
    revoke_proof(person.id, proof.id, by=BY, at=real)
    for _ in range(2):
        erasures.withdraw_erasure(person.id, by=BY, at=real)
        erasures.request_erasure(person.id, by=BY, at=real)
    erasures.erase_due(at=then)
    assert not Person.objects.filter(pk=person.pk, verified_at__isnull=False).exists()


def run_refunds(shop: Shop) -> None:
    """Refund an order that is partly paid: with an immediate, a lost and a negative answer."""
    play_all_returns(shop)
    order = make_due_order(shop, make_person(shop), yuan("8"), due_at=NOON + timedelta(days=30))
    pay_now(order.id, amount_minor=600, by=BY, at=NOON)
    for behaviour, amount in (
        (bank.Behaviour.PAYS, 300),
        (bank.Behaviour.SLOW, 100),
        (bank.Behaviour.HARD_DECLINE, 50),
    ):
        bank.change_account(order.person.instruments.get().token, behaviour)
        refund_order(order.id, RefundDetails(amount_minor=amount, reason="x"), by=BY, at=NOON)
        poll_refund_parts(shop.realm_id, at=NOON + timedelta(minutes=5))


def run_payouts(shop: Shop) -> None:
    """Settle days: payouts that arrive, are polled, come back and are carried over, with a changed account."""
    for number, days in (("6222021234560003", 2), ("6222021234560002", 4), ("6222021234567890", 6)):
        at = NOON + timedelta(days=days)
        account = AccountDetails(holder="x", bank="y", number=number)
        asked = request_payout_account(shop.merchant.id, account, by=BY, at=at)
        approve_payout_account(asked.id, by=Actor.system("another"), at=at)
        make_due_order(shop, make_person(shop), yuan("5"), at=at)
        deduct_due(shop.realm_id, at=at)
        for later in (24, 25, 48, 49):
            settle_due(shop.realm_id, at=at + timedelta(hours=later))
            pay_out_due(shop.realm_id, at=at + timedelta(hours=later))
            poll_payouts(shop.realm_id, at=at + timedelta(hours=later))
    assert "failed" in set(Settlement.objects.values_list("state", flat=True))


def run_concerns(shop: Shop) -> None:
    """Run problem reports, payment plans and objections to their decisions."""
    person = make_person(shop, "no_funds")
    order = make_due_order(shop, person, yuan("8"))
    for outcome, total in (("lowered", 700), ("resumed", None)):
        report = orders.report_problem(order.id, "other", "x", by=BY, at=NOON)
        orders.add_message(report.id, "x", author="staff", by=BY, at=NOON)
        orders.decide_report(report.id, outcome, "x", total_minor=total, by=BY, at=NOON)
    orders.choose_plan(person.id, None, orders.PlanOffer(2, 14), expected=[yuan("7")], by=BY, at=NOON)
    request = orders.OrderRequest(
        agreement_id=order.agreement_id, out_order_no="h", title="x", currency="CNY", ceiling=1
    )
    refusal = orders.open_order(shop.merchant.id, request, by=BY, at=NOON).decision
    objection = orders.object_to_decision(refusal.id, person.id, "x", by=BY, at=NOON)
    orders.decide_objection(objection.id, "x", reassess=True, points=2, by=BY, at=NOON)
    asked = orders.request_plan(person.id, None, orders.PlanOffer(10, 30), "x", by=BY, at=NOON)
    orders.grant_plan(asked.id, orders.PlanOffer(9, 30), "x", by=BY, at=NOON)
    other = make_due_order(shop, make_person(shop), yuan("8"))
    orders.withdraw_concern(orders.report_problem(other.id, "other", "x", by=BY, at=NOON).id, by=BY, at=NOON)
    forgiven = orders.report_problem(order.id, "other", "x", by=BY, at=NOON)
    orders.decide_report(forgiven.id, "cancelled", "x", by=BY, at=NOON)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ('SELECT "orders_order"."id" FROM "orders_order" FOR NO KEY UPDATE OF "orders_order"', ["orders_order"]),
        ("SELECT a.id FROM v JOIN credit_agreement a ON a.id = v.id FOR NO KEY UPDATE OF a", ["credit_agreement"]),
        ("SELECT 1 FROM credit_profile FOR UPDATE", ["credit_profile"]),
        ('UPDATE "credit_profile" SET "held_minor" = 1', ["credit_profile"]),
        ("WITH r AS (SELECT 1) UPDATE credit_profile p SET x = 1", ["credit_profile"]),
        ('SELECT "orders_order"."id" FROM "orders_order"', []),
        ('INSERT INTO "orders_order" VALUES (%s)', []),
    ],
)
def test_locked_tables_are_read_from_the_sql(sql: str, tables: list[str]) -> None:
    assert locked_by(sql) == tables


def test_the_recorder_reports_wrong_order_except_for_new_rows() -> None:
    watch, key = LockRecorder(), UUID(int=1)
    watch.record('UPDATE "credit_profile" SET x = 1 WHERE id = %s', [key])
    watch.record('INSERT INTO "orders_order" VALUES (%s)', [key])
    watch.record('UPDATE "orders_order" SET x = 1 WHERE "orders_order"."id" = %s', [key])
    assert watch.violations == []
    watch.record('SELECT * FROM "orders_order" WHERE "id" = %s FOR NO KEY UPDATE', [UUID(int=2)])
    assert len(watch.violations) == 1
