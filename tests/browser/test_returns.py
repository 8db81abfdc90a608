"""Something is sent back on a phone and answered at a merchant's desk; and so is a debit that was taken back."""

from collections.abc import Callable

from billing.models import Return
from kernel.models import Realm
from portal.services import team
from tests.billing.helpers import paid_order
from tests.billing.test_dispute_evidence import make_dispute
from tests.browser.conftest import PageInspector, sign_in
from tests.browser.test_help import PHONE_ZH, sees
from tests.browser.test_merchants import comes_in, sends
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop
from tests.portal.conftest import PASSWORD

DESK_EN = (1280, "en", "dark")


def test_a_person_sends_something_back_and_the_merchant_answers(
    inspector_on: Callable[..., PageInspector], transactional_db: None, shop: Shop
) -> None:
    order = paid_order(shop, "49.90")
    freeze_clock(NOON, order.person)
    inspector = inspector_on(PHONE_ZH)
    inspector.go(f"/orders/{order.public_id}")
    sign_in(inspector, order.person)
    inspector.page.get_by_role("link", name="退货").click()
    sees(inspector, "R0-send-back")
    for name, text in (("carrier", "顺丰速运"), ("tracking", "SF1020304050607"), ("reason", "尺码不合适")):
        inspector.page.locator(f"#{name}").fill(text)
    inspector.page.locator("#amount").fill("100")
    inspector.page.get_by_role("button", name="提交退货").click()
    inspector.check_page("R1-too-much", expected=422)
    inspector.page.locator("#amount").fill("30")
    inspector.page.get_by_role("button", name="提交退货").click()
    inspector.page.wait_for_selector("text=退款正在处理")
    sees(inspector, "R2-on-its-way")
    answers(inspector_on(DESK_EN), shop, Return.objects.get())


def answers(inspector: PageInspector, shop: Shop, row: Return) -> None:
    """The merchant's owner sees that something waits, looks at it, and refuses it."""
    make_dispute(shop)
    Realm.objects.filter(pk=shop.realm_id).update(frozen_at=NOON)
    team.create_team(shop.live.id, "owner@example.com", PASSWORD, by=BY, at=NOON)
    base = f"/merchant/{shop.merchant.public_id}/"
    inspector.go("/merchant/sign-in/")
    comes_in(inspector)
    inspector.page.wait_for_url("**/mch_*/")
    inspector.check_page("R3-merchant-overview")
    inspector.go(f"{base}returns/")
    inspector.check_page("R4-merchant-returns")
    inspector.go(f"{base}orders/{row.order.public_id}")
    inspector.check_page("R5-merchant-order")
    inspector.go(f"{base}returns/{row.public_id}/refuse")
    inspector.page.locator("#id_reason").fill("包裹是空的，有开箱录像")
    inspector.check_page("R6-merchant-refuses")
    sends(inspector)
    inspector.check_page("R7-refused")
    inspector.go(f"{base}disputes/")
    inspector.check_page("R8-taken-back")
    inspector.page.locator("main table a").first.click()
    inspector.check_page("R9-dispute")
    inspector.page.locator('main a[href$="/answer"]').click()
    inspector.page.locator("#id_statement").fill("本人签收，签收单见附号。")
    inspector.page.locator("#id_tracking_number").fill("SF-1020304050607")
    inspector.check_page("R10-evidence")
    sends(inspector)
    inspector.check_page("R11-answered")
