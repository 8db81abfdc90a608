"""An order's page and its receipt, looked at in every look; and the record's older pages, followed in place."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.wallets import top_up
from orders import pages
from orders import services as orders
from orders.models import Order
from tests.billing.bench import give_back
from tests.browser.conftest import Eye, Story, pictured, sign_in
from tests.conftest import BY, NOON, opened, ordered, someone, yuan

A_PAGE = 3


def printed(eye: Eye, name: str) -> None:
    """As it comes out of a printer: the paper alone, black on white."""
    eye.page.emulate_media(media="print")
    assert eye.page.locator("header.bar nav, .foot, .unprinted").evaluate_all(
        "all => all.every(e => !e.checkVisibility())"
    )
    pictured(eye.page, f"{name}-print")
    eye.page.emulate_media(media="screen")


def test_a_person_reads_an_order_and_keeps_its_receipt(eye: Eye, story: Story) -> None:
    order, ada = story.to_pay, story.ada
    open_wallet(ada, at=NOON)
    top_up(ada.id, yuan("30"), "bank 1", at=NOON)
    wallet = ada.instruments.get(channel="wallet").id
    pay_now(order.id, amount_minor=500, instrument_id=wallet, by=BY, at=NOON)
    pay_now(order.id, amount_minor=100, instrument_id=wallet, by=BY, at=NOON)
    give_back(order, "7")
    eye.go(f"/orders/{order.public_id}")
    sign_in(eye, ada)
    eye.sees("a0-order-with-everything")
    eye.page.locator('main a[href$="/receipt"]').click()
    eye.sees("a1-receipt")
    printed(eye, "a1-receipt")
    with eye.page.expect_download() as download:
        eye.page.locator('main a[href$="size=phone"]').click()
    assert download.value.suggested_filename == f"receipt-{order.public_id}.pdf"
    cancelled = Order.objects.get(person=ada, state="cancelled")
    eye.go(f"/orders/{cancelled.public_id}/receipt")
    eye.sees("a2-receipt-of-nothing")


def test_older_orders_follow_in_place_and_a_session_that_ended_signs_in_anew(
    eye: Eye, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "ORDERS_A_PAGE", A_PAGE)
    bo = someone(story.bank, name="博文")
    agreement = opened(story.bank, bo)
    for n in range(2 * A_PAGE + 1):
        order = ordered(story.bank, agreement, title=f"充电宝 {n}", at=NOON - timedelta(days=n))
        orders.cancel_order(order.id, "x", by=BY, at=NOON)
    eye.go("/orders/?shelf=cancelled")
    sign_in(eye, bo)
    links = eye.page.locator("main .link")
    expect(links).to_have_count(A_PAGE)
    eye.page.locator("a[rel=next]").click()
    eye.page.wait_for_url("**cursor=*")
    expect(links).to_have_count(2 * A_PAGE)
    assert eye.page.evaluate("document.activeElement.closest('.link') !== null")
    eye.sees("a3-record-followed")
    eye.page.context.clear_cookies()
    eye.page.locator("a[rel=next]").click()
    eye.page.wait_for_url("**/account/login/?next=**")
    sign_in(eye, bo)
    assert "/orders/?shelf=cancelled" in eye.page.url
