"""Approval covers the postings that were previewed: if others would be made, nothing is done."""

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
from office.refusals import ProposalPostingsChanged
from office.services import proposals
from orders import services as orders
from orders.models import Order
from tests.browsing import freeze_clock, signed_in_client
from tests.conftest import NOON, make_due_order, make_person, make_shop, yuan
from tests.console.conftest import page_text, staff
from tests.office.approval_helpers import decide_on_page
from tests.office.queue_fixtures import staff_user

DAY = timedelta(days=1)
FALLS = NOON
MEI = Actor.staff(UUID(int=2))


@pytest.fixture
def ageing(db: None) -> Order:
    """Somebody's order that costs a late fee each day."""
    shop = make_shop("费用", grace=timedelta(), late_fee_daily_bps=100, late_fee_cap_bps=5000)
    order = make_due_order(shop, make_person(shop, "hard_decline"), yuan("90"))
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=FALLS, limit=9)
    aged(order, FALLS + DAY)
    return order


def aged(order: Order, at: datetime) -> None:
    orders.close_days(order.realm_id, at=at, limit=9)
    freeze_clock(at, order.person)


def asked(order: Order, matter: str) -> Proposal:
    lin = Actor.staff(staff_user("collections").pk)
    return proposals.propose(matter, order.public_id, {}, "x", by=lin, at=live_now())


def waived(order: Order) -> list[int]:
    return list(
        Posting.objects.filter(order_id=order.id, kind="late_fee_waived").values_list("amount_minor", flat=True)
    )


@pytest.mark.parametrize("matter", ["waive_fees", "write_off"])
def test_approval_fails_if_the_late_fee_grew_since_the_preview(
    ageing: Order, console_client: Callable[..., Client], matter: str
) -> None:
    row, mei = asked(ageing, matter), console_client("supervisor")
    page = mei.get(f"/ops/second/{row.public_id}")
    assert "¥0.90" in page_text(page)
    aged(ageing, FALLS + 4 * DAY)
    before = Posting.objects.count()
    answer = decide_on_page(mei, row, page=page)
    assert answer.status_code == 422
    assert "您查看之后，账簿变动的金额已有变化" in page_text(answer)
    assert Posting.objects.count() == before
    assert Proposal.objects.get(pk=row.pk).state == "open"
    assert decide_on_page(mei, row).status_code == 302
    assert Posting.objects.count() > before


def test_the_previewed_postings_are_made(ageing: Order, console_client: Callable[..., Client]) -> None:
    row = asked(ageing, "waive_fees")
    assert decide_on_page(console_client("supervisor"), row).status_code == 302
    assert waived(ageing) == [90]


@pytest.mark.parametrize("seen", ["", "0" * 64, "💴"])
def test_an_invalid_digest_changes_nothing(ageing: Order, seen: str) -> None:
    row = asked(ageing, "waive_fees")
    with pytest.raises(ProposalPostingsChanged):
        proposals.approve(row.id, "x", seen_digest=seen, by=MEI, at=live_now())
    assert waived(ageing) == []
    assert proposals.approve(row.id, "x", by=MEI, at=live_now()).state == "approved"


def test_a_form_without_a_digest_approves_nothing(ageing: Order) -> None:
    row, mei = asked(ageing, "waive_fees"), signed_in_client(staff("supervisor"))
    path = f"/ops/second/{row.public_id}"
    token = mei.get(path).content.decode().partition('name="token" value="')[2][:24]
    answer = mei.post(f"{path}/decide", {"token": token, "deed": "approve", "because": "x"})
    assert answer.status_code == 422
    assert waived(ageing) == []
