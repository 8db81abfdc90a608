"""A settlement of one merchant's day, which turns every posting into a line, beside an ORM loop. `make bench`."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from benchmarks.load_clients import postgres_pid
from benchmarks.measurement import Measurement, measure, rates_by_side, run_in_turn, scaled
from benchmarks.report import BenchmarkReport
from billing.models import Settlement, SettlementLine
from billing.services.deduct import deduct_due
from billing.services.settlements import settle_due
from ledger.models import Posting
from merchants.models import Merchant
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan
from tests.services import services as servers

MANY, THEIRS = scaled(1_000_000, 20_000), scaled(5_000, 500)
#: Copies of one posting that moved money to the merchant.
_COPIES = """
INSERT INTO ledger_posting SELECT (json_populate_record(p, json_build_object('id', uuidv7(), 'cause_id', uuidv7()))).*
FROM ledger_posting p, generate_series(1, %(many)s) WHERE p.id = %(one)s
"""


@pytest.fixture(scope="module")
def shop(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Shop]:
    with django_db_blocker.unblock():
        yield busy_shop(MANY)


def busy_shop(many: int) -> Shop:
    """A merchant with this many postings in one day."""
    shop = make_shop("来电充电宝")
    make_due_order(shop, make_person(shop), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    one = Posting.objects.filter(credit_owner=shop.merchant.id, credit_account="payable").latest("id")
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(_COPIES, {"one": str(one.id), "many": many})
        cursor.execute("VACUUM ANALYZE ledger_posting")
    return shop


def run_settlement(shop: Shop, least: int = MANY) -> int:
    """Run the settlement job, and roll it back so that the next round has the same work."""
    with transaction.atomic():
        settle_due(shop.realm_id, at=NOON + timedelta(days=1))
        lines = SettlementLine.objects.filter(merchant=shop.merchant).count()
        transaction.set_rollback(True)
    if lines < least:
        raise RuntimeError(f"{lines} of {least} postings were settled.")
    return lines


def orm_settlement(shop: Shop) -> int:
    """The straightforward way: a loop that saves a line for each posting."""
    merchant, net = Merchant.objects.get(pk=shop.merchant.id), 0
    with transaction.atomic():
        settlement = Settlement(
            realm_id=merchant.realm_id,
            merchant=merchant,
            currency="CNY",
            period_from=merchant.created_at,
            period_until=NOON + timedelta(days=1),
            created_at=NOON,
        )
        settlement.record("opened", by=BY, at=NOON)
        for posting in Posting.objects.filter(credit_owner=merchant.id, credit_account="payable")[:THEIRS]:
            SettlementLine.objects.create(
                id=posting.id,
                merchant_id=merchant.id,
                settlement=settlement,
                kind="gross",
                posting=posting,
                order_id=posting.order_id,
                amount_minor=posting.amount_minor,
                at=posting.at,
            )
            net += posting.amount_minor
        settlement.gross_minor = settlement.net_minor = net
        settlement.lines_count = THEIRS
        settlement.close(pay_at=NOON)
        settlement.record("closed", by=BY, at=NOON)
        connection.check_constraints()  # as the commit would
        transaction.set_rollback(True)
    return THEIRS


def test_settling(report: BenchmarkReport, shop: Shop) -> None:
    pids = {"worker": 0, "database": postgres_pid()}

    def ours() -> Measurement:
        return measure(lambda: run_settlement(shop), pids)

    def theirs() -> Measurement:
        return measure(lambda: orm_settlement(shop), pids)

    done = run_in_turn({"ours": ours, "ORM loop": theirs})
    rate = rates_by_side(done)
    report.ratio("8 settlement", rate["ours"], rate["ORM loop"], "/s", rate)
    for name, measurements in done.items():
        report.note(f"settlement, {name}: {measurements[-1]}")
