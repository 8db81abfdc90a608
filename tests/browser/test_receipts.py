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
from tests.billing.helpers import issue_refund
from tests.browser.conftest import PageInspector, Scenario, sign_in, take_screenshot
from tests.conftest import BY, NOON, make_agreement, make_order, make_person, yuan

A_PAGE = 3


def printed(inspector: PageInspector, name: str) -> None:
    """As it comes out of a printer: the paper alone, black on white."""
    inspector.page.emulate_media(media="print")
    assert inspector.page.locator("header.bar nav, .foot, .unprinted").evaluate_all(
        "all => all.every(e => !e.checkVisibility())"
    )
    take_screenshot(inspector.page, f"{name}-print")
    inspector.page.emulate_media(media="screen")


def test_a_person_reads_an_order_and_keeps_its_receipt(inspector: PageInspector, scenario: Scenario) -> None:
    order, ada = scenario.to_pay, scenario.ada
    open_wallet(ada, at=NOON)
    top_up(ada.id, yuan("30"), "bank 1", at=NOON)
    wallet = ada.instruments.get(channel="wallet").id
    pay_now(order.id, amount_minor=500, instrument_id=wallet, by=BY, at=NOON)
    pay_now(order.id, amount_minor=100, instrument_id=wallet, by=BY, at=NOON)
    issue_refund(order, "7")
    inspector.go(f"/orders/{order.public_id}")
    sign_in(inspector, ada)
    inspector.check_page("a0-order-with-everything")
    inspector.page.locator('main a[href$="/receipt"]').click()
    inspector.check_page("a1-receipt")
    printed(inspector, "a1-receipt")
    with inspector.page.expect_download() as download:
        inspector.page.locator('main a[href$="size=phone"]').click()
    assert download.value.suggested_filename == f"receipt-{order.public_id}.pdf"
    cancelled = Order.objects.get(person=ada, state="cancelled")
    inspector.go(f"/orders/{cancelled.public_id}/receipt")
    inspector.check_page("a2-receipt-of-nothing")


def test_older_orders_follow_in_place_and_a_session_that_ended_signs_in_anew(
    inspector: PageInspector, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE_SIZE", A_PAGE)
    bo = make_person(scenario.bank, name="博文")
    agreement = make_agreement(scenario.bank, bo)
    for n in range(2 * A_PAGE + 1):
        order = make_order(scenario.bank, agreement, title=f"充电宝 {n}", at=NOON - timedelta(days=n))
        orders.cancel_order(order.id, "x", by=BY, at=NOON)
    inspector.go("/orders/?shelf=cancelled")
    sign_in(inspector, bo)
    links = inspector.page.locator("main .link")
    expect(links).to_have_count(A_PAGE)
    inspector.page.locator("a[rel=next]").click()
    inspector.page.wait_for_url("**cursor=*")
    expect(links).to_have_count(2 * A_PAGE)
    assert inspector.page.evaluate("document.activeElement.closest('.link') !== null")
    inspector.check_page("a3-record-followed")
    inspector.page.context.clear_cookies()
    inspector.page.locator("a[rel=next]").click()
    inspector.page.wait_for_url("**/account/login/?next=**")
    sign_in(inspector, bo)
    assert "/orders/?shelf=cancelled" in inspector.page.url
