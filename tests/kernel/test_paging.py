"""A cursor is good for the list that gave it, and not for the same kind of list of something else."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import QuerySet

from billing.models import Refund
from billing.services.refund import Asked, refund_order
from kernel.paging import page
from kernel.refusal import Invalid
from orders import services
from orders.models import Order
from tests.api import Api, refused
from tests.billing.bench import paid
from tests.conftest import BY, NOON, Shop, make_shop, opened, ordered, someone

WRONG = [{"pointer": "?cursor", "detail": "not a cursor of this list"}]


def refunded(shop: Shop) -> Order:
    order = paid(shop)
    for n in range(3):
        refund_order(order.id, Asked(amount_minor=100, reason=f"{n}"), by=BY, at=NOON)
    return order


def of(order: Order) -> QuerySet[Refund]:
    return Refund.objects.filter(order=order)


def test_pages_of_one_order_follow_each_other_and_no_other_order_takes_their_cursor(power_bank: Shop) -> None:
    mine, other, api = refunded(power_bank), refunded(power_bank), Api(power_bank)
    seen, cursor = [], ""
    while True:
        shown = api.get(f"orders/{mine.public_id}/refunds?limit=1{cursor}").json()
        seen += [row["id"] for row in shown["data"]]
        if shown["next_cursor"] is None:
            break
        cursor = f"&cursor={shown['next_cursor']}"
        told = refused(api.get(f"orders/{other.public_id}/refunds?limit=1{cursor}"), 422)
        assert told["errors"] == WRONG
    assert seen == [row.public_id for row in of(mine).order_by("-pk")]


def test_orders_of_a_span_of_time_are_listed_the_latest_first_page_by_page(power_bank: Shop) -> None:
    agreement, api = opened(power_bank, someone(power_bank)), Api(power_bank)
    days = [NOON + timedelta(days=day) for day in (0, 1, 1, 2, 3)]  # two of them at one moment
    made = [ordered(power_bank, agreement, at=day) for day in days]
    services.cancel_order(made[2].id, "x", by=BY, at=days[2])
    span = "after=2026-11-21T04:00:00Z&before=2026-11-23T04:00:00Z"

    def listed(query: str) -> list[str]:
        seen, cursor = list[str](), ""
        while True:
            shown = api.get(f"orders?limit=1&{query}{cursor}").json()
            seen += [row["id"] for row in shown["data"]]
            if shown["next_cursor"] is None:
                return seen
            cursor = f"&cursor={shown['next_cursor']}"

    assert listed(span) == [made[n].public_id for n in (3, 2, 1)]
    assert listed(f"{span}&state=open") == [made[n].public_id for n in (3, 1)]
    assert listed("after=2026-11-23T12:00:00%2B08:00") == [made[4].public_id]
    assert listed("before=2026-11-20T04:00:00Z") == []
    [wrong] = refused(api.get("orders?after=yesterday"), 422)["errors"]
    assert wrong["pointer"] == "?after"


def test_a_month_ends_where_the_next_begins_in_the_zone_that_was_asked_for(power_bank: Shop) -> None:
    agreement, api = opened(power_bank, someone(power_bank)), Api(power_bank)
    midnight = datetime(2026, 11, 30, 16, tzinfo=UTC)  # in Shanghai
    last, first = (ordered(power_bank, agreement, at=at) for at in (midnight - timedelta(microseconds=1), midnight))
    november = "after=2026-11-01T00:00:00%2B08:00&before=2026-12-01T00:00:00%2B08:00"
    december = "after=2026-12-01T00:00:00%2B08:00&before=2027-01-01T00:00:00%2B08:00"
    for span, one in ((november, last), (december, first)):
        assert [row["id"] for row in api.get(f"orders?{span}").json()["data"]] == [one.public_id]
    assert api.get("orders?after=2026-12-01T00:00:00Z&before=2026-11-01T00:00:00Z").json()["data"] == []


@pytest.mark.parametrize(
    "said", ["十一月", "🔋", "2026-02-30T00:00:00Z", "2026-11-01T00:00:00", "1", "%00", "x" * 3_000]
)
def test_a_span_that_is_none_is_told_which_end_is_wrong(power_bank: Shop, said: str) -> None:
    for end in ("after", "before"):
        [wrong] = refused(Api(power_bank).get(f"orders?{end}={said}"), 422)["errors"]
        assert wrong["pointer"] == f"?{end}"


def test_nobody_pages_through_a_span_from_somebody_elses_order(power_bank: Shop) -> None:
    other = make_shop("别家")
    theirs = ordered(other, opened(other, someone(other)))
    ordered(power_bank, opened(power_bank, someone(power_bank)))
    told = refused(Api(power_bank).get(f"orders?after=2026-11-01T00:00:00Z&cursor={theirs.public_id}"), 422)
    assert told["errors"] == WRONG


def test_a_cursor_from_before_they_said_whose_list_it_is_is_good_for_the_list_its_row_stands_in(
    power_bank: Shop,
) -> None:
    mine, other = refunded(power_bank), refunded(power_bank)
    newest, *older = of(mine).order_by("-pk")
    found, _further = page(of(mine), cursor=newest.public_id, limit=5, of=mine)
    assert found == older
    marked = page(of(mine), cursor=None, limit=1, of=mine)[1]
    assert marked is not None
    wrong = [(newest.public_id, other), (marked, other), (f"{marked}0", mine), (f"{newest.public_id}.", mine)]
    for cursor, whose in wrong:
        with pytest.raises(Invalid):
            page(of(whose), cursor=cursor, limit=5, of=whose)
    with pytest.raises(Invalid):
        page(of(mine), cursor=marked, limit=5)
