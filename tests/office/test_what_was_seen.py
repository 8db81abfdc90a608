"""The second colleague agrees to the postings that they were shown: where others would be made, none are."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.test import Client

from billing.services.deduct import deduct_due
from kernel.actor import Actor
from kernel.clock import live_now
from ledger.models import Posting
from office.models import Proposal
from office.refusals import ProposalMoved
from office.services import proposals
from orders import services as orders
from orders.models import Order
from tests.conftest import NOON, completed, make_shop, someone, yuan
from tests.console.conftest import staff, words_of
from tests.office.seconds import decided
from tests.office.waiting import colleague
from tests.visiting import it_is, signed_in

DAY = timedelta(days=1)
FALLS = NOON
MEI = Actor.staff(UUID(int=2))


@pytest.fixture
def ageing(db: None) -> Order:
    """Somebody's order that costs a late fee each day."""
    shop = make_shop("费用", grace=timedelta(), late_fee_daily_bps=100, late_fee_cap_bps=5000)
    order = completed(shop, someone(shop, "hard_decline"), yuan("90"))
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=FALLS, limit=9)
    aged(order, FALLS + DAY)
    return order


def aged(order: Order, at: datetime) -> None:
    orders.close_days(order.realm_id, at=at, limit=9)
    it_is(at, order.person)


def asked(order: Order, matter: str) -> Proposal:
    lin = Actor.staff(colleague("collections").pk)
    return proposals.propose(matter, order.public_id, {}, "x", by=lin, at=live_now())


def waived(order: Order) -> list[int]:
    return list(
        Posting.objects.filter(order_id=order.id, kind="late_fee_waived").values_list("amount_minor", flat=True)
    )


@pytest.mark.parametrize("matter", ["waive_fees", "write_off"])
def test_a_fee_that_grew_since_they_looked_is_not_given_away(
    ageing: Order, at_desk: Callable[..., Client], matter: str
) -> None:
    row, mei = asked(ageing, matter), at_desk("supervisor")
    page = mei.get(f"/ops/second/{row.public_id}")
    assert "¥0.90" in words_of(page)
    aged(ageing, FALLS + 4 * DAY)
    before = Posting.objects.count()
    answer = decided(mei, row, page=page)
    assert answer.status_code == 422
    assert "您查看之后，账簿变动的金额已有变化" in words_of(answer)
    assert Posting.objects.count() == before
    assert Proposal.objects.get(pk=row.pk).state == "open"
    assert decided(mei, row).status_code == 302
    assert Posting.objects.count() > before


def test_what_was_seen_is_done(ageing: Order, at_desk: Callable[..., Client]) -> None:
    row = asked(ageing, "waive_fees")
    assert decided(at_desk("supervisor"), row).status_code == 302
    assert waived(ageing) == [90]


@pytest.mark.parametrize("seen", ["", "0" * 64, "💴"])
def test_a_seal_that_is_none_moves_nothing(ageing: Order, seen: str) -> None:
    row = asked(ageing, "waive_fees")
    with pytest.raises(ProposalMoved):
        proposals.approve(row.id, "x", seen=seen, by=MEI, at=live_now())
    assert waived(ageing) == []
    assert proposals.approve(row.id, "x", by=MEI, at=live_now()).state == "approved"


def test_a_form_without_a_seal_agrees_to_nothing(ageing: Order) -> None:
    row, mei = asked(ageing, "waive_fees"), signed_in(staff("supervisor"))
    path = f"/ops/second/{row.public_id}"
    token = mei.get(path).content.decode().partition('name="token" value="')[2][:24]
    answer = mei.post(f"{path}/decide", {"token": token, "deed": "approve", "because": "x"})
    assert answer.status_code == 422
    assert waived(ageing) == []
