"""A cursor is valid only for the list that issued it, not for another owner's list of the same kind."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import QuerySet

from billing.models import Refund
from billing.services.refunds import RefundDetails, refund_order
from kernel.paging import paginate
from kernel.refusal import Invalid
from orders import services
from orders.models import Order
from tests.api import Api, assert_problem
from tests.billing.helpers import paid_order
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, make_shop

WRONG = [{"pointer": "?cursor", "detail": "not a cursor of this list"}]


def create_refunded_order(shop: Shop) -> Order:
    order = paid_order(shop)
    for n in range(3):
        refund_order(order.id, RefundDetails(amount_minor=100, reason=f"{n}"), by=BY, at=NOON)
    return order


def refunds_of(order: Order) -> QuerySet[Refund]:
    return Refund.objects.filter(order=order)


def test_cursors_page_through_one_order_and_are_refused_for_another(power_bank: Shop) -> None:
    mine, other, api = create_refunded_order(power_bank), create_refunded_order(power_bank), Api(power_bank)
    seen, cursor = [], ""
    while True:
        shown = api.get(f"orders/{mine.public_id}/refunds?limit=1{cursor}").json()
        seen += [row["id"] for row in shown["data"]]
        if shown["next_cursor"] is None:
            break
        cursor = f"&cursor={shown['next_cursor']}"
        told = assert_problem(api.get(f"orders/{other.public_id}/refunds?limit=1{cursor}"), 422)
        assert told["errors"] == WRONG
    assert seen == [row.public_id for row in refunds_of(mine).order_by("-pk")]


def test_orders_of_a_span_of_time_are_listed_the_latest_first_page_by_page(power_bank: Shop) -> None:
    agreement, api = make_agreement(power_bank, make_person(power_bank)), Api(power_bank)
    days = [NOON + timedelta(days=day) for day in (0, 1, 1, 2, 3)]  # two of them at one moment
    made = [make_order(power_bank, agreement, at=day) for day in days]
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
    [wrong] = assert_problem(api.get("orders?after=yesterday"), 422)["errors"]
    assert wrong["pointer"] == "?after"


def test_months_do_not_overlap_in_the_requested_time_zone(power_bank: Shop) -> None:
    agreement, api = make_agreement(power_bank, make_person(power_bank)), Api(power_bank)
    midnight = datetime(2026, 11, 30, 16, tzinfo=UTC)  # in Shanghai
    last, first = (make_order(power_bank, agreement, at=at) for at in (midnight - timedelta(microseconds=1), midnight))
    november = "after=2026-11-01T00:00:00%2B08:00&before=2026-12-01T00:00:00%2B08:00"
    december = "after=2026-12-01T00:00:00%2B08:00&before=2027-01-01T00:00:00%2B08:00"
    for span, one in ((november, last), (december, first)):
        assert [row["id"] for row in api.get(f"orders?{span}").json()["data"]] == [one.public_id]
    assert api.get("orders?after=2026-12-01T00:00:00Z&before=2026-11-01T00:00:00Z").json()["data"] == []


@pytest.mark.parametrize(
    "said", ["十一月", "🔋", "2026-02-30T00:00:00Z", "2026-11-01T00:00:00", "1", "%00", "x" * 3_000]
)
def test_an_invalid_span_names_the_wrong_end(power_bank: Shop, said: str) -> None:
    for end in ("after", "before"):
        [wrong] = assert_problem(Api(power_bank).get(f"orders?{end}={said}"), 422)["errors"]
        assert wrong["pointer"] == f"?{end}"


def test_a_cursor_of_another_merchants_order_is_refused(power_bank: Shop) -> None:
    other = make_shop("别家")
    theirs = make_order(other, make_agreement(other, make_person(other)))
    make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    told = assert_problem(Api(power_bank).get(f"orders?after=2026-11-01T00:00:00Z&cursor={theirs.public_id}"), 422)
    assert told["errors"] == WRONG


def test_an_old_cursor_without_owner_is_valid_for_its_rows_list(
    power_bank: Shop,
) -> None:
    mine, other = create_refunded_order(power_bank), create_refunded_order(power_bank)
    newest, *older = refunds_of(mine).order_by("-pk")
    found, _further = paginate(refunds_of(mine), cursor=newest.public_id, limit=5, owner=mine)
    assert found == older
    marked = paginate(refunds_of(mine), cursor=None, limit=1, owner=mine)[1]
    assert marked is not None
    wrong = [(newest.public_id, other), (marked, other), (f"{marked}0", mine), (f"{newest.public_id}.", mine)]
    for cursor, whose in wrong:
        with pytest.raises(Invalid):
            paginate(refunds_of(whose), cursor=cursor, limit=5, owner=whose)
    with pytest.raises(Invalid):
        paginate(refunds_of(mine), cursor=marked, limit=5)
