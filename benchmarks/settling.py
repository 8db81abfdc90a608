"""A merchant's day is cut off: every posting becomes a line of one settlement, beside an ORM loop. `make bench`."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from benchmarks.asking import postgres
from benchmarks.book import Book
from benchmarks.weather import Work, in_turn, measured, paces, sized
from billing.models import Settlement, SettlementLine
from billing.services.deduct import deduct_due
from billing.services.settlement import settle_due
from ledger.models import Posting
from merchants.models import Merchant
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, yuan
from tests.services import services as servers

MANY, THEIRS = sized(1_000_000, 20_000), sized(5_000, 500)
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
    """A merchant with so many postings in one day."""
    made = make_shop("来电充电宝")
    completed(made, someone(made), yuan("6"))
    deduct_due(made.realm_id, at=NOON)
    one = Posting.objects.filter(credit_owner=made.merchant.id, credit_account="payable").latest("id")
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(_COPIES, {"one": str(one.id), "many": many})
        cursor.execute("VACUUM ANALYZE ledger_posting")
    return made


def settled(shop: Shop, least: int = MANY) -> int:
    """As the ring does it; undone, so that there is as much to do the next time."""
    with transaction.atomic():
        settle_due(shop.realm_id, at=NOON + timedelta(days=1))
        lines = SettlementLine.objects.filter(merchant=shop.merchant).count()
        transaction.set_rollback(True)
    if lines < least:
        raise RuntimeError(f"{lines} of {least} postings were settled.")
    return lines


def looped(shop: Shop) -> int:
    """What one writes first: each posting is looked at, and its line is saved."""
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


def test_settling(book: Book, shop: Shop) -> None:
    programs = {"worker": 0, "database": postgres()}

    def ours() -> Work:
        return measured(lambda: settled(shop), programs)

    def theirs() -> Work:
        return measured(lambda: looped(shop), programs)

    done = in_turn({"ours": ours, "ORM loop": theirs})
    pace = paces(done)
    book.ratio("8 settlement", pace["ours"], pace["ORM loop"], "/s", pace)
    for name, works in done.items():
        book.note(f"settlement, {name}: {works[-1]}")
