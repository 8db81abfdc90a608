"""Queries over a large set cost the same at its end as at its beginning."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from billing import merchant_balances, rules
from billing.models import SettlementLine
from billing.services import settlements, unsettled_postings
from billing.services.deduct import deduct_due
from billing.services.settlements import settle_next_cutoff
from ledger.models import Posting
from portal.balances import balances_of
from tests.billing.helpers import paid_order
from tests.conftest import NOON, Shop, make_due_order, make_person, yuan
from tests.services import services as servers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.breaks_invariants]
MANY, AT_ONCE = 6_000, 500
COPIES = """
INSERT INTO ledger_posting SELECT (json_populate_record(p, json_build_object('id', uuidv7(), 'cause_id', uuidv7()))).*
FROM ledger_posting p, generate_series(1, %s) WHERE p.id = %s
"""


#: Later copies for other owners, so that the day's postings are a part of the ledger that an index must find.
OTHER_COPIES = """
INSERT INTO ledger_posting SELECT (json_populate_record(p, json_build_object('id', uuidv7(), 'cause_id', uuidv7(),
    'credit_owner', uuidv7(), 'at', p.at + interval '9 days'))).*
FROM ledger_posting p, generate_series(1, %s) WHERE p.id = %s
"""


def create_many_postings(shop: Shop, *, others: int = 0) -> None:
    """Create many copies of one posting for the merchant on one day."""
    make_due_order(shop, make_person(shop), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    one = Posting.objects.filter(credit_owner=shop.merchant.id, credit_account="payable").latest("id")
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(COPIES, [MANY, str(one.id)])
        cursor.execute(OTHER_COPIES, [others, str(one.id)])
        cursor.execute("ANALYZE ledger_posting")


def postings_read(question: str, values: Any) -> int:
    """The number of ledger rows that PostgreSQL scanned for a query."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {question}", values)
        answer = cursor.fetchone()[0]
    [whole] = json.loads(answer) if isinstance(answer, str) else answer
    return round(_rows_scanned(whole["Plan"]))


def _rows_scanned(node: dict[str, Any]) -> float:
    here = 0.0
    if node.get("Relation Name") == "ledger_posting":
        here = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return here + sum(_rows_scanned(below) for below in node.get("Plans", ()))


def test_settled_postings_are_not_summed_again_for_a_page(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    create_many_postings(power_bank)
    values = {"owner": power_bank.merchant.id, "nothing": UUID(int=0), "upto": UUID(int=2**128 - 1)}
    before = balances_of(power_bank.merchant)
    assert postings_read(merchant_balances._BALANCES_SQL, values) >= MANY  # noqa: SLF001  what a page asks
    monkeypatch.setattr(rules, "key_one_day_before", lambda key: key)  # a day on which nothing came
    settle_next_cutoff(power_bank.merchant.id, at=NOON + timedelta(days=1))
    assert balances_of(power_bank.merchant) == before
    assert postings_read(merchant_balances._BALANCES_SQL, values) <= 5  # noqa: SLF001


@pytest.mark.parametrize("others", [0, MANY, 8 * MANY])
def test_the_last_lines_of_a_settlement_are_found_like_the_first(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    create_many_postings(power_bank, others=others)
    monkeypatch.setattr(settlements, "LINES_PER_STATEMENT", AT_ONCE)
    read, real = [], unsettled_postings.query_unsettled

    def looked(merchant: Any, question: str, **values: Any) -> list[tuple[Any, ...]]:
        if question == settlements._INSERT_LINES:  # noqa: SLF001  what is looked at
            with transaction.atomic():
                read.append(postings_read(question, {"merchant": merchant.id, **values}))
                transaction.set_rollback(True)
        return real(merchant, question, **values)

    monkeypatch.setattr(settlements, "query_unsettled", looked)
    settle_next_cutoff(power_bank.merchant.id, at=NOON + timedelta(days=1))
    assert SettlementLine.objects.filter(merchant=power_bank.merchant).count() >= MANY
    assert len(read) > MANY / AT_ONCE
    assert sum(read) <= 3 * MANY  # read over and over, what is left comes to six times as many


def test_the_lines_of_one_statement_are_checked_together(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    paid_order(power_bank)
    calls, real = [], unsettled_postings.query_unsettled

    def looked(merchant: Any, question: str, **values: Any) -> list[tuple[Any, ...]]:
        if question == settlements._INSERT_LINES:  # noqa: SLF001  what is looked at
            with transaction.atomic():
                calls.append(trigger_calls(question, {"merchant": merchant.id, **values}))
                transaction.set_rollback(True)
        return real(merchant, question, **values)

    monkeypatch.setattr(settlements, "query_unsettled", looked)
    settle_next_cutoff(power_bank.merchant.id, at=NOON + timedelta(days=1))
    assert calls[0] == {"lines_go_into_an_open_settlement": 1}
    assert SettlementLine.objects.count() > 1


def trigger_calls(question: str, values: Any) -> dict[str, int]:
    """How often each of our triggers ran for a statement."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {question}", values)
        answer = cursor.fetchone()[0]
    [whole] = json.loads(answer) if isinstance(answer, str) else answer
    ours = (one for one in whole["Triggers"] if one["Trigger Name"].startswith("pgtrigger_"))
    return {one["Trigger Name"].removeprefix("pgtrigger_").rpartition("_")[0]: one["Calls"] for one in ours}


#: Each line is written into all of them, so there is none that nothing asks for.
INDEXES = {
    "billing_settlementline_pkey",
    "lines_of_settlement",
    "settled_of_order",
    "a_settlement_is_carried_once",
}
BY_SETTLEMENT = {
    "a page": lambda key: SettlementLine.objects.filter(settlement=key).order_by("-pk")[:21],
    "a further page": lambda key: SettlementLine.objects.filter(settlement=key, pk__lt=key).order_by("-pk")[:21],
    "a file": lambda key: SettlementLine.objects.filter(settlement=key).order_by("pk"),
    "its fees": lambda key: SettlementLine.objects.filter(settlement=key, kind="fee"),
    "whether there are any": lambda key: SettlementLine.objects.filter(settlement=key).values("pk")[:1],
}


@pytest.mark.parametrize("question", BY_SETTLEMENT)
def test_queries_on_settlement_lines_use_an_index(power_bank: Shop, question: str) -> None:
    paid_order(power_bank)
    settle_next_cutoff(power_bank.merchant.id, at=NOON + timedelta(days=1))
    asked = BY_SETTLEMENT[question](SettlementLine.objects.values_list("settlement_id", flat=True)[0])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # of a few rows all are read, whatever index there is
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'billing_settlementline'")
        led = {name for (name,) in cursor.fetchall()}
        plan = asked.explain()
    assert "lines_of_settlement" in plan
    assert led == INDEXES
