"""Something is sent back on a phone and answered at a merchant's desk; and so is a debit that was taken back."""

from collections.abc import Callable

from billing.models import Return
from kernel.models import Realm
from portal.services import team
from tests.billing.bench import paid
from tests.billing.test_answers import disputed
from tests.browser.conftest import Eye, sign_in
from tests.browser.test_help import PHONE_ZH, sees
from tests.browser.test_merchants import comes_in, sends
from tests.conftest import BY, NOON, Shop
from tests.portal.conftest import PASSWORD
from tests.visiting import it_is

DESK_EN = (1280, "en", "dark")


def test_a_person_sends_something_back_and_the_merchant_answers(
    eye_with: Callable[..., Eye], transactional_db: None, shop: Shop
) -> None:
    order = paid(shop, "49.90")
    it_is(NOON, order.person)
    eye = eye_with(PHONE_ZH)
    eye.go(f"/orders/{order.public_id}")
    sign_in(eye, order.person)
    eye.page.get_by_role("link", name="退货").click()
    sees(eye, "R0-send-back")
    for name, text in (("carrier", "顺丰速运"), ("tracking", "SF1020304050607"), ("reason", "尺码不合适")):
        eye.page.locator(f"#{name}").fill(text)
    eye.page.locator("#amount").fill("100")
    eye.page.get_by_role("button", name="提交退货").click()
    eye.sees("R1-too-much", expected=422)
    eye.page.locator("#amount").fill("30")
    eye.page.get_by_role("button", name="提交退货").click()
    eye.page.wait_for_selector("text=退款正在处理")
    sees(eye, "R2-on-its-way")
    answers(eye_with(DESK_EN), shop, Return.objects.get())


def answers(eye: Eye, shop: Shop, row: Return) -> None:
    """The merchant's owner sees that something waits, looks at it, and refuses it."""
    disputed(shop)
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    team.found_team(shop.live.id, "owner@example.com", PASSWORD, by=BY, at=NOON)
    base = f"/merchant/{shop.merchant.public_id}/"
    eye.go("/merchant/sign-in/")
    comes_in(eye)
    eye.page.wait_for_url("**/mch_*/")
    eye.sees("R3-merchant-overview")
    eye.go(f"{base}returns/")
    eye.sees("R4-merchant-returns")
    eye.go(f"{base}orders/{row.order.public_id}")
    eye.sees("R5-merchant-order")
    eye.go(f"{base}returns/{row.public_id}/refuse")
    eye.page.locator("#id_reason").fill("包裹是空的，有开箱录像")
    eye.sees("R6-merchant-refuses")
    sends(eye)
    eye.sees("R7-refused")
    eye.go(f"{base}disputes/")
    eye.sees("R8-taken-back")
    eye.page.locator("main table a").first.click()
    eye.sees("R9-dispute")
    eye.page.locator('main a[href$="/answer"]').click()
    eye.page.locator("#id_statement").fill("本人签收，签收单见附号。")
    eye.page.locator("#id_tracking_number").fill("SF-1020304050607")
    eye.sees("R10-evidence")
    sends(eye)
    eye.sees("R11-answered")
