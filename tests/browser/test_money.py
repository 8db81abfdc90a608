"""What people do with what they pay from: name it, order it, limit it, choose it, top it up, take it away."""

from collections.abc import Callable

from django.conf import settings

from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.models import Instrument
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, add_bank_account
from orders import services as orders
from orders.models import Order
from tests.browser.conftest import IN_ALL, Eye, Story, sign_in
from tests.browser.test_people import PHONE_ZH, choose, reach, send
from tests.conftest import BY, NOON, completed, make_shop, opened, ordered, someone, state_of, yuan
from tests.visiting import it_is

OTHER_LOOKS = (
    [(375, "en", "dark"), (1280, "zh-CN", "dark"), (1280, "en", "light")] if IN_ALL else [(1280, "en", "dark")]
)


def sees_all_ways(eye: Eye, name: str) -> None:
    """This page in every width, language and scheme, without walking here again."""
    eye.sees(name)
    for look in (*OTHER_LOOKS, PHONE_ZH):
        width, language, scheme = eye.look = look
        eye.page.set_viewport_size({"width": width, "height": 812})
        eye.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        code = "en" if language == "en" else "zh-hans"
        eye.page.context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": code, "url": eye.home}])
        eye.page.reload()
        if look != PHONE_ZH:
            eye.sees(name)


def test_what_is_paid_from_is_named_ordered_limited_and_taken_away(
    eye_with: Callable[..., Eye], transactional_db: None
) -> None:
    shop = make_shop("来电充电宝")
    person = someone(shop, "hard_decline")
    order = completed(shop, person, yuan("12.34"))
    deduct_due(shop.realm_id, at=NOON)
    it_is(NOON, person)
    eye = eye_with(PHONE_ZH)
    eye.go("/instruments/")
    sign_in(eye, person)
    eye.page.locator("select[name=behaviour]").select_option("no_funds")
    send(eye, "/add", name="工资卡 · 建设银行 · 尾号 1234")
    send(eye, "/wallet")
    assert [row.state for row in person.instruments.order_by("priority")] == ["dead", "active", "active"]
    new = person.instruments.get(channel="sandbox", state="active")
    eye.page.locator(f"#{new.public_id} summary").first.click()
    send(eye, f"{new.public_id}/limit", most="200", daily="500")
    sees_all_ways(eye, "60-instruments")
    eye.page.locator(f"#{new.public_id} summary").first.click()
    send(eye, f"{new.public_id}/limit", most="viel")
    eye.sees("61-limit-refused", expected=422)
    eye.go("/instruments/")
    eye.page.locator(f'form[action$="{new.public_id}/put"] button').last.click()
    dead = person.instruments.get(state="dead")
    eye.page.locator(f"#{dead.public_id} summary").first.click()
    send(eye, f"{dead.public_id}/remove")
    eye.sees("62-one-removed")
    assert state_of(order) == "completed"


def test_some_debts_are_chosen_and_paid(eye_with: Callable[..., Eye], transactional_db: None) -> None:
    shop = make_shop("来电充电宝", ceiling_minor=9900)
    person = someone(shop, "pays")
    agreement = opened(shop, person)
    titles = ("共享充电宝", "从人民广场到外滩，借还于不同网点的一次比较长的行程", "寄往杭州 2.4kg")
    owed: list[Order] = []
    for title in titles:
        order = ordered(shop, agreement, title=title, ceiling=1234)
        owed.append(orders.complete_order(order.id, orders.Final(total=1234), by=BY, at=NOON))
    add_bank_account(person, Script(Behaviour.PAYS), by=BY, at=NOON)
    it_is(NOON, person)
    eye = eye_with(PHONE_ZH)
    eye.go("/pay-all/")
    sign_in(eye, person)
    eye.page.locator("input[type=checkbox]").nth(1).uncheck()
    eye.page.locator('form[method="get"] button').click()
    sees_all_ways(eye, "63-pay-some")
    reach(eye, 'form[method="post"][action="/pay-all/"] button')
    eye.page.keyboard.press("Enter")
    eye.page.wait_for_url("**/pay-all/paid?*")
    eye.sees("64-paid-some")
    assert [state_of(order) for order in owed] == ["deducted", "completed", "deducted"]
    first = person.instruments.earliest("priority")
    assert [money.minor for money in bank.debits_of(first.token)] == [2468]


def test_a_service_is_opened_from_what_was_chosen(eye_with: Callable[..., Eye], story: Story) -> None:
    orders.cancel_order(story.overdue.id, "forgiven", by=BY, at=NOON)
    eye = eye_with(PHONE_ZH)
    path = f"/sign/{story.asked.public_id}"
    eye.go(path)
    sign_in(eye, story.ada)
    eye.page.locator('a[href^="/instruments/?next="]').click()
    send(eye, "/add", name="工资卡")
    assert eye.page.url.endswith(path)
    sees_all_ways(eye, "65-sign")
    mine: Instrument = story.ada.instruments.get(name="工资卡")
    choose(eye, mine.public_id)
    send(eye, story.asked.public_id)
    eye.sees("66-opened")
    assert story.ada.instruments.earliest("priority") == mine
    eye.go("/wallet/")
    send(eye, "/instruments/wallet")
    send(eye, "/wallet/top-up", amount="88.80")
    sees_all_ways(eye, "67-wallet")
