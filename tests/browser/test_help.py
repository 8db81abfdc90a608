"""Somebody who finds paying hard, or thinks that something is wrong, walks through it once on a phone."""

from collections.abc import Callable

from django.conf import settings

from orders import services as orders
from orders.models import Concern, Order
from tests.browser.conftest import PageInspector, Scenario, sign_in
from tests.conftest import BY, NOON, reload_order

PHONE_ZH, PHONE_EN = (375, "zh-CN", "light"), (375, "en", "dark")


def sees(inspector: PageInspector, name: str) -> None:
    """The page as it stands, and in the other language, asked for again; each on both screens."""
    inspector.check_page(name)
    show(inspector, PHONE_EN)
    inspector.check_page(name)
    show(inspector, PHONE_ZH)


def show(inspector: PageInspector, look: tuple[int, str, str]) -> None:
    width, language, scheme = look
    name = "en" if language == "en" else "zh-hans"
    inspector.page.context.add_cookies(
        [{"name": settings.LANGUAGE_COOKIE_NAME, "value": name, "url": inspector.base_url}]
    )
    inspector.page.set_viewport_size({"width": width, "height": 812})
    inspector.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    inspector.screen = look
    inspector.page.goto(inspector.page.url)


def test_help_is_asked_for_and_given(inspector_on: Callable[..., PageInspector], scenario: Scenario) -> None:
    inspector = inspector_on(PHONE_ZH)
    page = inspector.page
    inspector.go(f"/orders/{scenario.to_pay.public_id}")
    sign_in(inspector, scenario.ada)
    inspector.check_page("A0-order-with-help")
    page.get_by_role("link", name="反馈问题").click()
    sees(inspector, "A1-report")
    page.locator("[name=category][value=wrong_amount]").check()
    page.locator("#text").fill("只用了一小时，却按三小时收费。\n麻烦核对一下借还时间，谢谢！")
    page.get_by_role("button", name="提交反馈").click()
    report = Concern.objects.get()
    orders.add_message(report.id, "您好，请问归还时屏幕上显示了时间吗？", author="staff", by=BY, at=NOON)
    orders.add_message(report.id, "我们查到借出 10:02，归还 11:01。", author="merchant", by=BY, at=NOON)
    page.locator("#text").fill("有，显示 11:01。")
    page.locator("main form button").first.click()
    page.wait_for_selector("text=显示 11:01")
    sees(inspector, "A2-thread")
    orders.decide_report(report.id, "lowered", "确实多收了，已减为 ¥9.00。", total_minor=900, by=BY, at=NOON)
    inspector.go(f"/help/{report.public_id}")
    inspector.check_page("A3-decided")
    ease(inspector)
    sees_standing(inspector, scenario.to_pay)


def ease(inspector: PageInspector) -> None:
    """From the list of help to a plan that counts at once."""
    page = inspector.page
    inspector.go("/help/")
    sees(inspector, "A4-help")
    page.get_by_role("link", name="还款有困难").click()
    page.locator("[name=offer]").nth(1).check()
    sees(inspector, "A5-hardship")
    page.locator("[name=offer]").nth(1).check()
    page.get_by_role("button", name="使用该分期").click()
    sees(inspector, "A6-plan")


def sees_standing(inspector: PageInspector, eased: Order) -> None:
    """The order with its parts, the score with what moved it, a refusal, the objection, and the services."""
    page = inspector.page
    inspector.go(f"/orders/{eased.public_id}")
    page.locator("#move summary").click()
    inspector.check_page("A7-order-on-a-plan")
    assert reload_order(eased.id).eased_at == NOON
    wish = orders.OrderRequest(
        agreement_id=eased.agreement_id, out_order_no="R1", title="充电宝", currency="CNY", ceiling=9900
    )
    refusal = orders.open_order(eased.merchant_id, wish, by=BY, at=NOON).decision
    inspector.go("/credit/")
    page.locator("summary", has_text="信用分对应的额度").click()
    sees(inspector, "A8-standing")
    page.locator(f"a[href='/credit/{refusal.public_id}']").click()
    page.locator("#object summary").click()
    sees(inspector, "A9-decision")
    page.locator("#object summary").click()
    page.locator("#text").fill("我按时在还。")
    page.get_by_role("button", name="提交异议").click()
    objection = Concern.objects.get(kind="objection")
    orders.decide_objection(objection.id, "分期期间不能下新单，付清后即可。", reassess=False, by=BY, at=NOON)
    inspector.go(f"/help/{objection.public_id}")
    inspector.check_page("B0-objection")
    inspector.go("/services/")
    page.locator("summary").first.click()
    page.locator("details button.stop").first.click()
    sees(inspector, "B1-services")
