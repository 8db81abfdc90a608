"""The console's own pages in a real browser, wide and narrow: readable, within the screen, by keyboard."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts import services as accounts
from accounts.models import User
from billing.services.outage import begin_outage, end_outage
from billing.services.retry_policies import publish_policy
from bnpl.urls import CONSOLE_URLS
from kernel.actor import Actor
from kernel.clock import live_now
from merchants import services as merchants
from office.queries.streams import STREAMS
from office.services import list_exports, proposals, tally
from orders import services as orders
from orders.models import Order
from tests.browser.conftest import ALL_SCREENS, PageInspector, Scenario, take_screenshot
from tests.conftest import BY, NOON
from tests.office.merchant_fixtures import merchant_at

WIDTHS = [(1280, "zh-CN", "light"), (375, "en", "dark")] if ALL_SCREENS else [(375, "en", "dark")]
#: What a finger must hit on these pages is 44 px high.
SMALL_TARGETS_JS = """
    [...document.querySelectorAll(".console button, .console a.do, .console input:not([type=hidden], [type=checkbox])")]
    .filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 43.9).map(e => e.outerHTML)
"""


assert CONSOLE_URLS  # what takes two is registered there


def check_console_page(inspector: PageInspector, name: str) -> None:
    width, language, scheme = inspector.screen
    inspector.wait_loaded()
    take_screenshot(inspector.page, f"51-{name}-{width}-{language}-{scheme}")
    inspector.check_accessibility(name, ".console, .desks")
    too_wide = inspector.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert too_wide <= 0, f"{name} is {too_wide} px wider than the screen"
    assert inspector.page.evaluate(SMALL_TARGETS_JS) == []
    assert [line for line in inspector.problems if "status of 422" not in line] == []
    inspector.problems.clear()


def merchant_page_paths(order: Order) -> dict[str, str]:
    """One is looked into, another's fee changes, and files are made; by its name, where."""
    newcomer, shop = merchant_at("checked", "晨光自行车租赁"), order.merchant
    merchants.set_fee(order.service_id, 80, NOON + timedelta(days=9), by=BY, at=NOON)
    supervisor = User.objects.get(username="lin")
    list_exports.request_export(supervisor, "orders.order", "", "csv", language="en", at=NOON)
    list_exports.process_exports(at=live_now(), seconds=9)
    list_exports.request_export(supervisor, "orders.order", "", "xlsx", language="en", at=NOON)
    return {
        "merchants": "/ops/merchants/",
        "application": "/ops/merchants/new",
        "newcomer": f"/ops/merchants/{newcomer.public_id}",
        "merchant": f"/ops/merchants/{shop.public_id}",
        "check": f"/ops/do/{newcomer.public_id}/note_check",
        "fee": f"/ops/do/{order.service.public_id}/set_fee",
        "statement": f"/ops/merchants/{shop.public_id}/statement",
        "files": "/ops/files/",
        "file": "/ops/files/new?table=orders.order&as=csv&look=",
    }


def work_page_paths(scenario: Scenario) -> dict[str, str]:
    """Something lies on every desk; by its name, where."""
    accounts.create_staff("lin", "correct horse battery", roles=["supervisor"], by=BY, at=NOON)
    begin_outage("sandbox", "银行夜间维护，预计两小时", by=BY, at=NOON)
    end_outage("sandbox", "维护结束", by=BY, at=NOON)
    begin_outage("wallet", "对账", by=BY, at=NOON)
    publish_policy("standard", {"retry_hour": 15}, NOON, "下午人们才看手机，上午扣款失败率高", by=BY, at=NOON)
    orders.pause_order(scenario.overdue.id, "hardship", by=BY, at=NOON)
    report = orders.report_problem(scenario.to_pay.id, "wrong_amount", "多收了两元\n请核对", by=BY, at=NOON)
    orders.add_message(report.id, "请问几点归还？", author="staff", by=BY, at=NOON)
    for stream in STREAMS.values():
        tally.count_batch(stream, until=live_now() + timedelta(seconds=1))
    tally.take_stock(real=live_now())
    mei = Actor.staff(
        accounts.create_staff("mei", "correct horse battery", roles=["risk", "collections"], by=BY, at=NOON).pk
    )
    about, wish = scenario.ada.public_id, {"limit": ["88.00"]}
    limit = proposals.propose("change_limit", about, wish, "近三个月收入下降，本人来电", by=mei, at=live_now())
    lost = proposals.propose("write_off", scenario.overdue.public_id, {}, "查无此人", by=mei, at=live_now())
    world = f"realm={scenario.to_pay.realm_id}"
    return merchant_page_paths(scenario.to_pay) | {
        "figures": "/ops/figures/?mode=test&since=2026-10-20&until=2026-12-20",
        "whole": f"/ops/order/{scenario.overdue.public_id}",
        "order": f"/ops/orders/order/{scenario.to_pay.pk}/change/",
        "pause": f"/ops/do/{scenario.to_pay.public_id}/pause",
        "resume": f"/ops/do/{scenario.overdue.public_id}/resume",
        "refused": f"/ops/do/{scenario.to_pay.public_id}/resume",
        "refund": f"/ops/do/{scenario.to_pay.public_id}/refund",
        "cancel": f"/ops/do/{scenario.to_pay.public_id}/cancel",
        "second": "/ops/second/",
        "proposal": f"/ops/second/{limit.public_id}",
        "proposal-refused": f"/ops/second/{lost.public_id}",
        "reveal": f"/ops/reveal/{scenario.ada.public_id}",
        "system": "/ops/system/",
        "work": "/ops/work/",
        "policies": "/ops/policies/",
        "channels": "/ops/channels/",
        "outage": "/ops/channels/sandbox/out",
        "words": "/ops/words/",
        "help": "/ops/help/",
        "concern": f"/ops/help/{report.public_id}",
        "lower": f"/ops/do/{report.public_id}/lower",
        "late": "/ops/late/",
        "ease": "/ops/ease/",
        "bearers": "/ops/bearers/",
        "ahead": "/ops/returns/",
        "book": f"/ops/book/?{world}&on=2026-11-20",
        "account": f"/ops/book/account?{world}&code=clearing:sandbox&first=2026-11-01&last=2026-11-30",
        "account-wrong": f"/ops/book/account?{world}&code=payable&first=2026-11-01&last=2026-10-30",
    }


def publishes_a_policy(inspector: PageInspector) -> None:
    """Wrong at first, then seen, then asked for."""
    page = inspector.page
    inspector.go("/ops/policies/standard/publish")
    check_console_page(inspector, "policy")
    page.locator("[name=retry_hour]").fill("24")
    page.locator("[name=reason]").fill("早上的失败太多")
    page.locator("[name=step][value=preview]").click()
    check_console_page(inspector, "policy-wrong")
    page.locator("[name=retry_hour]").fill("9")
    page.locator("[name=retry_hour]").press("Enter")
    check_console_page(inspector, "policy-seen")
    page.locator("[name=step][value=publish]").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/ops/policies/")


@pytest.mark.parametrize("look", WIDTHS, ids=lambda look: "-".join(map(str, look)))
def test_a_supervisor_at_every_desk(
    inspector_on: Callable[..., PageInspector], scenario: Scenario, look: tuple[int, str, str]
) -> None:
    desks = work_page_paths(scenario)
    inspector = inspector_on(look)
    page = inspector.page
    inspector.go("/ops/")
    page.locator("[name=username]").fill("lin")
    page.locator("[name=password]").fill("correct horse battery")
    page.locator("#login-form [type=submit]").click()
    check_console_page(inspector, "index")
    for name, path in desks.items():
        inspector.go(path)
        if name != "order":  # the admin's own page; ours is a row of links on it
            check_console_page(inspector, name)
    publishes_a_policy(inspector)
    inspector.go("/ops/late/")
    page.locator("[name=grace_hours_least]").fill("48")
    page.locator("[name=daily_bps_most]").fill("0.05")
    page.locator("[name=note]").fill("法定上限自本月起为每日万分之五")
    page.locator("[name=step][value=look]").click()
    check_console_page(inspector, "late-seen")
    inspector.go("/ops/words/debit_failed/zh-hans")
    page.locator("[name=step][value=preview]").click()
    check_console_page(inspector, "words-seen")
