"""A cursor is good for the list that gave it, and not for the same kind of list of something else."""

import pytest
from django.db.models import QuerySet

from billing.models import Refund
from billing.services.refund import Asked, refund_order
from kernel.paging import page
from kernel.refusal import Invalid
from orders.models import Order
from tests.api import Api, refused
from tests.billing.bench import paid
from tests.conftest import BY, NOON, Shop

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
