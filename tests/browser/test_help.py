"""Somebody who finds paying hard, or thinks that something is wrong, walks through it once on a phone."""

from collections.abc import Callable

from django.conf import settings

from orders import services as orders
from orders.models import Concern, Order
from tests.browser.conftest import Eye, Story, sign_in
from tests.conftest import BY, NOON, fresh

PHONE_ZH, PHONE_EN = (375, "zh-CN", "light"), (375, "en", "dark")


def sees(eye: Eye, name: str) -> None:
    """The page as it stands, and in the other language, asked for again; each on both screens."""
    eye.sees(name)
    show(eye, PHONE_EN)
    eye.sees(name)
    show(eye, PHONE_ZH)


def show(eye: Eye, look: tuple[int, str, str]) -> None:
    width, language, scheme = look
    name = "en" if language == "en" else "zh-hans"
    eye.page.context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": name, "url": eye.home}])
    eye.page.set_viewport_size({"width": width, "height": 812})
    eye.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    eye.look = look
    eye.page.goto(eye.page.url)


def test_help_is_asked_for_and_given(eye_with: Callable[..., Eye], story: Story) -> None:
    eye = eye_with(PHONE_ZH)
    page = eye.page
    eye.go(f"/orders/{story.to_pay.public_id}")
    sign_in(eye, story.ada)
    eye.sees("A0-order-with-help")
    page.get_by_role("link", name="反馈问题").click()
    sees(eye, "A1-report")
    page.locator("[name=category][value=wrong_amount]").check()
    page.locator("#text").fill("只用了一小时，却按三小时收费。\n麻烦核对一下借还时间，谢谢！")
    page.get_by_role("button", name="提交反馈").click()
    report = Concern.objects.get()
    orders.say(report.id, "您好，请问归还时屏幕上显示了时间吗？", author="staff", by=BY, at=NOON)
    orders.say(report.id, "我们查到借出 10:02，归还 11:01。", author="merchant", by=BY, at=NOON)
    page.locator("#text").fill("有，显示 11:01。")
    page.locator("main form button").first.click()
    page.wait_for_selector("text=显示 11:01")
    sees(eye, "A2-thread")
    orders.decide_report(report.id, "lowered", "确实多收了，已减为 ¥9.00。", total_minor=900, by=BY, at=NOON)
    eye.go(f"/help/{report.public_id}")
    eye.sees("A3-decided")
    ease(eye)
    sees_standing(eye, story.to_pay)


def ease(eye: Eye) -> None:
    """From the list of help to a plan that counts at once."""
    page = eye.page
    eye.go("/help/")
    sees(eye, "A4-help")
    page.get_by_role("link", name="还款有困难").click()
    page.locator("[name=offer]").nth(1).check()
    sees(eye, "A5-hardship")
    page.locator("[name=offer]").nth(1).check()
    page.get_by_role("button", name="使用该分期").click()
    sees(eye, "A6-plan")


def sees_standing(eye: Eye, eased: Order) -> None:
    """The order with its parts, the score with what moved it, a refusal, the objection, and the services."""
    page = eye.page
    eye.go(f"/orders/{eased.public_id}")
    page.locator("#move summary").click()
    eye.sees("A7-order-on-a-plan")
    assert fresh(eased.id).eased_at == NOON
    wish = orders.Wish(agreement_id=eased.agreement_id, out_order_no="R1", title="充电宝", currency="CNY", ceiling=9900)
    refusal = orders.open_order(eased.merchant_id, wish, by=BY, at=NOON).decision
    eye.go("/credit/")
    page.locator("summary", has_text="信用分对应的额度").click()
    sees(eye, "A8-standing")
    page.locator(f"a[href='/credit/{refusal.public_id}']").click()
    page.locator("#object summary").click()
    sees(eye, "A9-decision")
    page.locator("#object summary").click()
    page.locator("#text").fill("我按时在还。")
    page.get_by_role("button", name="提交异议").click()
    objection = Concern.objects.get(kind="objection")
    orders.decide_objection(objection.id, "分期期间不能下新单，付清后即可。", again=False, by=BY, at=NOON)
    eye.go(f"/help/{objection.public_id}")
    eye.sees("B0-objection")
    eye.go("/services/")
    page.locator("summary").first.click()
    page.locator("details button.stop").first.click()
    sees(eye, "B1-services")
