"""Import order is lock order: inside each transaction tables are first locked from the top floor down."""

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
from billing.services.ask import ask_unknown
from billing.services.ask_parts import ask_parts, ask_payouts
from billing.services.callbacks import deliver_sandbox_callbacks
from billing.services.deduct import deduct_due
from billing.services.instruments import (
    limit_instrument,
    open_wallet,
    put_instrument,
    remove_instrument,
    sign_paying_from,
)
from billing.services.pay import collect_now, pay_all, pay_now
from billing.services.payout_accounts import Account, agree_payout_account, ask_payout_account
from billing.services.payouts import pay_out_due
from billing.services.plan import move_next
from billing.services.refund import Asked, refund_order
from billing.services.settlement import settle_due
from billing.services.wallets import top_up
from credit import services as credit
from kernel.actor import Actor
from kernel.prepared import spelled_out
from merchants import services as merchants
from orders import services as orders
from personal.services import copying, erase
from personal.services import export as exports
from personal.services.proof import issue_proof, revoke_proof
from tests.billing.returning import send_back
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, yuan
from tests.messages import apart, leading, uuids
from tests.office.seconds import two_agree

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
#: Named whole: a table of theirs stands before every table of the floors below.
FLOORS = ("office", "personal", "billing")
#: Nobody changes a row of these without their person's profile, which is the queue.
BEHIND_PROFILES = ("credit_currencylimit",)
LOCK = re.compile(r"FOR (?:NO KEY )?UPDATE(?: OF \"?(?P<of>\w+)\"?)?")
WORD = r"(?:SET|WHERE|ON|OF|FOR|ORDER|JOIN|INNER|LEFT|LIMIT)\b"
NAME, ALIAS = rf'"?(?P<table>(?!{WORD})\w+)"?', rf'\s+(?:AS\s+)?"?(?P<alias>(?!{WORD})\w+)'
PAIR = re.compile(rf"(?:FROM|JOIN|UPDATE)\s+{NAME}(?:{ALIAS})?")
#: kernel.writes.update_all: each row of its parameter begins with the key.
MANY = re.compile(r"UPDATE \S+ AS t SET .* FROM json_to_recordset\(")
UPDATE = re.compile(r"(?:^|[()]\s*)\s*UPDATE\s+\"?(?P<table>\w+)")


def locked_by(sql: str) -> list[str]:
    """The tables in which a statement locks rows that were there before."""
    found = []
    for lock in LOCK.finditer(sql):
        names = [(pair["table"], pair["alias"]) for pair in PAIR.finditer(sql)]
        wanted = lock["of"]
        found.append(next((table for table, alias in names if wanted in (table, alias, None)), sql))
    return found + [update["table"] for update in UPDATE.finditer(sql)]


def rank(table: str) -> int:
    for place, name in enumerate(ORDER):
        if table == name or (name in FLOORS and table.startswith(f"{name}_")):
            return place
    return REST


class Watch:
    """What was locked first in each transaction, in order, and where that broke the rule."""

    def __init__(self) -> None:
        self.transactions, self.violations = 0, list[str]()
        self.begin()

    def begin(self) -> None:
        self.seen: list[str] = []
        self.born: set[UUID] = set()
        self.transactions += 1

    def note(self, sql: str, params: Any) -> None:
        sql = spelled_out(sql)
        if sql.lstrip().startswith("INSERT"):
            self.born |= uuids(params)
        where = sql.rpartition("WHERE")[2]
        asked = uuids(list(params or ())[-where.count("%s") :]) if "%s" in where else set()
        if MANY.match(sql):
            asked = leading(params[0])
        if asked and asked <= self.born:
            return  # nobody else can hold what this transaction has just made
        for table in locked_by(sql):
            if table in self.seen or table in BEHIND_PROFILES:
                continue
            if self.seen and rank(table) < max(map(rank, self.seen)):
                self.violations.append(f"{table} after {' → '.join(self.seen)}: {sql[:160]}")
            self.seen.append(table)

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        for statement, values in apart(sql, params):
            self.note(statement, values)
        return execute(sql, params, many, context)


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watch, switch = Watch(), connection.set_autocommit

    def set_autocommit(autocommit: bool, **how: Any) -> None:  # noqa: FBT001
        watch.begin()
        switch(autocommit, **how)

    with monkeypatch.context() as patched, connection.execute_wrapper(watch):
        patched.setattr(connection, "set_autocommit", set_autocommit)
        yield watch


@pytest.mark.django_db(transaction=True)
def test_whole_lives_lock_from_the_top_floor_down(
    power_bank: Shop, shop: Shop, parcel: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviours = ["pays", "no_funds", "hard_decline", "slow", "timeout_then_not_paid", "late_callback"]
    with watched(monkeypatch) as watch:
        live(power_bank, shop, parcel, behaviours)

    assert watch.violations == []
    assert watch.transactions > 100


def live(power_bank: Shop, shop: Shop, parcel: Shop, behaviours: list[str]) -> None:
    """Everything that happens to orders, and much of it in one batch."""
    merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    people = [someone(power_bank, behaviour) for behaviour in behaviours]
    owing = [completed(power_bank, person, yuan("6")) for person in people]
    twice = ordered(power_bank, people[0].agreements.get(), ceiling=700)
    orders.complete_order(twice.id, orders.Final(total=700), by=BY, at=NOON)
    confirmed = ordered(shop, opened(shop, someone(shop)))
    wish = orders.Wish(agreement_id=confirmed.agreement_id, out_order_no="w", title="x", currency="CNY", amount=1)
    orders.open_order(shop.merchant.id, wish, by=BY, at=NOON)
    orders.complete_order(confirmed.id, orders.Final(total=0), by=BY, at=NOON)
    advance = completed(parcel, someone(parcel), yuan("3"))
    orders.lower_total(advance.id, 200, "x", by=BY, at=NOON)
    orders.lower_total(advance.id, 0, "x", by=BY, at=NOON)
    agreement = advance.agreement
    gone, cash, forgiven = (ordered(parcel, agreement, ceiling=500) for _ in range(3))
    orders.cancel_order(gone.id, "x", by=BY, at=NOON)
    for order in (cash, forgiven):
        orders.complete_order(order.id, orders.Final(total=100), by=BY, at=NOON)
    credit.stop_agreement(agreement.id, by=BY, at=NOON)
    orders.mark_paid(cash.id, NOON, "till", by=BY, at=NOON)
    orders.cancel_order(forgiven.id, "x", by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    for seconds in (5, 35, 70, 400, 4_000):
        ask_unknown(power_bank.realm_id, at=NOON + timedelta(seconds=seconds))
    deliver_sandbox_callbacks(power_bank.merchant.realm, real=NOON + timedelta(days=1))
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
    move_next(owing[1].obligations.get().id, late + timedelta(days=2), at=late)
    put_instrument(poor.id, wallet, 0, by=BY, at=late)
    limit_instrument(poor.id, wallet, yuan("1"), None, by=BY, at=late)
    pay_all(poor.id, instrument_id=wallet, by=BY, at=late)
    terms = {"name": "雨伞", "mode": "dynamic", "ceiling_minor": 900, "currency": "CNY"}
    umbrella = merchants.offer_service(power_bank.merchant.id, terms, by=BY, at=late)
    asked = credit.request_agreement(power_bank.merchant.id, umbrella.id, "u-2", by=BY, at=late)
    sign_paying_from(asked.id, Person.objects.get(pk=people[0].pk), people[0].instruments.get().id, by=BY, at=late)
    card = poor.instruments.exclude(pk=wallet).get()
    remove_instrument(poor.id, card.id, by=BY, at=late)
    assert poor.agreements.get().state == "terminated"
    ask_for_help(power_bank)
    give_back(power_bank)
    leave(power_bank)
    two_agree(power_bank)
    be_paid(power_bank)
    merchants.deliver_due(power_bank.realm_id, at=late, limit=20)


def leave(shop: Shop) -> None:
    """Everything is taken along, shown and taken back; then somebody is forgotten."""
    person = someone(shop)
    real, then = NOON + timedelta(days=1), NOON + timedelta(days=9)
    completed(shop, person, yuan("2"))
    deduct_due(shop.realm_id, at=NOON)
    exports.ask_export(person.id, by=BY, at=real)
    copying.make_exports(at=real, seconds=9)
    for _ in range(2):
        proof = issue_proof(person.id, ["band"], 7, by=BY, at=real)
    revoke_proof(person.id, proof.id, by=BY, at=real)
    for _ in range(2):
        erase.withdraw_erasure(person.id, by=BY, at=real)
        erase.ask_erasure(person.id, by=BY, at=real)
    erase.erase_due(at=then)
    assert not Person.objects.filter(pk=person.pk, verified_at__isnull=False).exists()


def give_back(shop: Shop) -> None:
    """A part paid, a part owed: given back at once, with an answer that is lost, and with one that says no."""
    send_back(shop)
    order = completed(shop, someone(shop), yuan("8"), due_at=NOON + timedelta(days=30))
    pay_now(order.id, amount_minor=600, by=BY, at=NOON)
    for behaviour, amount in (
        (bank.Behaviour.PAYS, 300),
        (bank.Behaviour.SLOW, 100),
        (bank.Behaviour.HARD_DECLINE, 50),
    ):
        bank.change_account(order.person.instruments.get().token, behaviour)
        refund_order(order.id, Asked(amount_minor=amount, reason="x"), by=BY, at=NOON)
        ask_parts(shop.realm_id, at=NOON + timedelta(minutes=5))


def be_paid(shop: Shop) -> None:
    """Days are settled: paid, asked about, sent back and carried; and the account is another one."""
    for number, days in (("6222021234560003", 2), ("6222021234560002", 4), ("6222021234567890", 6)):
        at = NOON + timedelta(days=days)
        account = Account(holder="x", bank="y", number=number)
        asked = ask_payout_account(shop.merchant.id, account, by=BY, at=at)
        agree_payout_account(asked.id, by=Actor.system("another"), at=at)
        completed(shop, someone(shop), yuan("5"), at=at)
        deduct_due(shop.realm_id, at=at)
        for later in (24, 25, 48, 49):
            settle_due(shop.realm_id, at=at + timedelta(hours=later))
            pay_out_due(shop.realm_id, at=at + timedelta(hours=later))
            ask_payouts(shop.realm_id, at=at + timedelta(hours=later))
    assert "failed" in set(Settlement.objects.values_list("state", flat=True))


def ask_for_help(shop: Shop) -> None:
    """A problem, a plan, an objection: asked, talked about and decided."""
    person = someone(shop, "no_funds")
    order = completed(shop, person, yuan("8"))
    for outcome, total in (("lowered", 700), ("resumed", None)):
        report = orders.report_problem(order.id, "other", "x", by=BY, at=NOON)
        orders.say(report.id, "x", author="staff", by=BY, at=NOON)
        orders.decide_report(report.id, outcome, "x", total_minor=total, by=BY, at=NOON)
    orders.ease(person.id, None, orders.Offer(2, 14), expected=[yuan("7")], by=BY, at=NOON)
    wish = orders.Wish(agreement_id=order.agreement_id, out_order_no="h", title="x", currency="CNY", ceiling=1)
    refusal = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).decision
    objection = orders.object_to(refusal.id, person.id, "x", by=BY, at=NOON)
    orders.decide_objection(objection.id, "x", again=True, points=2, by=BY, at=NOON)
    asked = orders.ask_for_help(person.id, None, orders.Offer(10, 30), "x", by=BY, at=NOON)
    orders.grant_ease(asked.id, orders.Offer(9, 30), "x", by=BY, at=NOON)
    other = completed(shop, someone(shop), yuan("8"))
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
def test_a_statement_is_read_for_what_it_locks(sql: str, tables: list[str]) -> None:
    assert locked_by(sql) == tables


def test_the_watch_sees_a_lock_from_below_and_forgives_ones_own_new_rows() -> None:
    watch, key = Watch(), UUID(int=1)
    watch.note('UPDATE "credit_profile" SET x = 1 WHERE id = %s', [key])
    watch.note('INSERT INTO "orders_order" VALUES (%s)', [key])
    watch.note('UPDATE "orders_order" SET x = 1 WHERE "orders_order"."id" = %s', [key])
    assert watch.violations == []
    watch.note('SELECT * FROM "orders_order" WHERE "id" = %s FOR NO KEY UPDATE', [UUID(int=2)])
    assert len(watch.violations) == 1
