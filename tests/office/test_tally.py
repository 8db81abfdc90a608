"""Each event is counted exactly once, however often the job runs; and a figure links to exactly its rows."""

from datetime import date, datetime, timedelta

import pytest
from django.db import OperationalError, connection

from billing.services.deduct import deduct_due
from kernel.clock import live_now
from office import rules
from office.models import Counted, Tally
from office.queries import reports
from office.queries.reports import ReportFilter, Total
from office.queries.streams import STREAM_BY_METRIC, STREAMS, Stream
from office.services import tally
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan

DAY = date(2026, 11, 20)


def counted(*, limit: int = 5000) -> None:
    """Everything that was written until now, as the job would some seconds later."""
    later = live_now() + timedelta(seconds=1)
    for stream in STREAMS.values():
        while tally.count_batch(stream, until=later, limit=limit) == limit:
            pass


def look(shop: Shop | None = None, **more: object) -> ReportFilter:
    of = {"merchant": shop.merchant} if shop else {}
    return ReportFilter(DAY, DAY + timedelta(days=9), "test", **of, **more)  # type: ignore[arg-type]


def late(shop: Shop, amount: str = "30", *, at: datetime = NOON) -> Order:
    """An order whose debt nobody could take, overdue."""
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan(amount), at=at)
    deduct_due(shop.realm_id, at=at)
    orders.mark_overdue(shop.realm_id, at=at + timedelta(hours=73), limit=100)
    return order


def test_a_life_is_counted_on_its_days(power_bank: Shop) -> None:
    make_due_order(power_bank, make_person(power_bank), yuan("12.34"))
    deduct_due(power_bank.realm_id, at=NOON)
    late(power_bank)
    counted()
    sums = reports.totals_for(look(power_bank))
    assert sums.on_day(DAY, "order", "open") == Total(2, 2 * 9900)
    assert sums.on_day(DAY, "order", "completed") == Total(2, 4234)
    assert sums.on_day(DAY, "order", "deducted") == Total(1, 1234)
    assert sums.on_day(DAY + timedelta(days=3), "order", "overdue") == Total(1, 3000)
    assert sums.on_day(DAY, "book", "owed") == Total(2, 4234)
    assert sums.on_day(DAY, "book", "collected") == Total(1, 1234)
    assert sums.on_day(DAY, "book", "fees").amount_minor == 7
    assert sums.over_period("attempt", "1:succeeded") == Total(1, 1234)
    assert sums.over_period("attempt", "1:failed").count == 1
    assert sums.over_period("failure", "insufficient_funds").count == 1
    assert sums.over_period("decision", "order:approved").count == 2
    assert sums.over_period("bucket", "overdue:1-30").count == 1
    assert sums.over_period("vintage", "2026-11:0") == Total(1, 1234)
    assert sums.over_period("vintage", "2026-11:owed") == Total(2, 4234)


def test_counting_again_counts_nothing(power_bank: Shop) -> None:
    late(power_bank)
    counted()
    before = list(Tally.objects.order_by("id").values())
    counted()
    assert list(Tally.objects.order_by("id").values()) == before


def test_a_few_lines_at_a_time_come_to_the_same(power_bank: Shop, shop: Shop) -> None:
    for one in (power_bank, shop):
        make_order(one, make_agreement(one, make_person(one)))
    late(power_bank)
    counted(limit=2)
    by_twos = reports.totals_for(look()).by_key
    with connection.cursor() as cursor:
        cursor.execute("UPDATE office_tally SET number = 0, amount_minor = 0")
    Counted.objects.update(last=None)
    counted()
    assert reports.totals_for(look()).by_key == by_twos


def test_the_platform_total_is_the_sum_of_all_services(power_bank: Shop, shop: Shop) -> None:
    late(power_bank)
    late(power_bank, "5")
    make_order(shop, make_agreement(shop, make_person(shop)))
    counted()
    every = reports.totals_for(look()).by_key
    apart = [reports.totals_for(look(one)).by_key for one in (power_bank, shop)]
    assert every == {key: apart[0].get(key, Total()) + apart[1].get(key, Total()) for key in {**apart[0], **apart[1]}}
    of_service = reports.totals_for(look(power_bank, service=power_bank.service)).by_key
    assert of_service == apart[0]


def test_a_number_leads_to_exactly_its_rows(power_bank: Shop) -> None:
    late(power_bank)
    make_due_order(power_bank, make_person(power_bank), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    counted()
    sums = reports.totals_for(look(power_bank))
    asked = 0
    for (metric, key), one in sums.by_key.items():
        if metric in STREAM_BY_METRIC:
            rows = reports.source_events(look(power_bank), metric, key, offset=0, limit=100)
            assert (len(rows), sum(row.amount_minor for row in rows)) == (one.count, one.amount_minor), (metric, key)
            asked += 1
    assert asked > 12


def test_what_is_written_just_now_waits_for_its_transaction(power_bank: Shop) -> None:
    late(power_bank)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert tally.visible_until(live_now()) <= live_now() - rules.VISIBILITY_LAG
    tally.count_all(real=live_now() - timedelta(hours=1))
    assert not Tally.objects.exclude(metric="stock").exists()


def test_what_is_overdue_is_counted_as_it_stands(power_bank: Shop) -> None:
    order = late(power_bank)
    real = live_now()
    assert tally.take_stock(real=real)
    assert not tally.take_stock(real=real + timedelta(minutes=4))
    row = Tally.objects.get(metric="stock", merchant=None)
    assert (row.key, row.number, row.amount_minor) == ("1-30", 1, 3000)
    orders.write_off(order.id, "x", by=BY, at=NOON + timedelta(hours=80))
    assert tally.take_stock(real=real + timedelta(minutes=6))
    row.refresh_from_db()
    assert (row.number, row.amount_minor) == (0, 0)


def test_freshness_is_that_of_the_slowest(power_bank: Shop) -> None:
    assert reports.counted_until() is None
    late(power_bank)
    counted()
    tally.take_stock(real=live_now())
    Counted.objects.filter(pk="book").update(counted_until=NOON)
    assert reports.counted_until() == NOON


@pytest.mark.parametrize("stream", STREAMS.values(), ids=lambda stream: stream.name)
def test_a_stream_looks_at_its_table_by_key(stream: object, db: None) -> None:
    """However long the history is, a batch reads only its own lines."""
    sql = STREAMS[getattr(stream, "name", "")].sql
    assert "e.id > %(after)s AND e.id <= %(upto)s" in sql


def test_trouble_with_one_stream_keeps_no_other_waiting(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    late(power_bank)
    real, broken = tally.count_batch, next(iter(STREAMS))

    def counts(stream: Stream, **how: datetime) -> int:
        if stream.name == broken:
            raise OperationalError
        return real(stream, **how)

    monkeypatch.setattr(tally, "count_batch", counts)
    with pytest.raises(OperationalError):
        tally.count_all(real=live_now() + timedelta(minutes=1))
    asked = {name for name, stream in STREAMS.items() if stream.name != broken} | {tally.STOCK}
    assert set(Counted.objects.values_list("stream", flat=True)) == asked
