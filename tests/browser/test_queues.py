"""The queues, a case and the worklist in a real browser: taken, handed over, closed and noted by keyboard, in words."""

from collections.abc import Callable

import pytest

from accounts import services as accounts
from accounts.models import Contact
from billing.models import Case
from bnpl.urls import CONSOLE_URLS
from kernel.models import Realm
from office.models import Handling
from orders import services as orders
from tests.browser.conftest import ALL_SCREENS, PageInspector, Scenario
from tests.browser.test_console_pages import check_console_page
from tests.conftest import BY, NOON
from tests.office.queue_fixtures import one_item_per_queue

LOOKS = [(1280, "zh-CN", "light"), (375, "en", "dark"), (375, "zh-CN", "light")]
assert CONSOLE_URLS  # what takes two is registered there


def comes_in(inspector: PageInspector) -> None:
    """A supervisor; and a colleague to whom things can be handed."""
    accounts.create_staff("mei", "correct horse battery", roles=["support"], by=BY, at=NOON)
    inspector.sign_in_staff("supervisor")


@pytest.mark.parametrize("look", LOOKS if ALL_SCREENS else LOOKS[1:2], ids=lambda look: "-".join(map(str, look)))
def test_what_waits_is_taken_and_handed_over(
    inspector_on: Callable[..., PageInspector], scenario: Scenario, look: tuple[int, str, str]
) -> None:
    there = one_item_per_queue(scenario.bank)
    inspector = inspector_on(look)
    page = inspector.page
    comes_in(inspector)
    inspector.go("/ops/queues/?mode=test")
    check_console_page(inspector, "queues")
    for name in there:
        inspector.go(f"/ops/queues/{name}?mode=test")
        check_console_page(inspector, f"queue-{name}")
    inspector.go("/ops/queues/problem?mode=test")
    page.locator("[name=row]").first.focus()
    page.keyboard.press("Space")
    page.locator("[name=to]").select_option(label="mei")
    page.locator(".console form button.do").last.focus()
    page.keyboard.press("Enter")
    page.locator(".messagelist").wait_for()
    check_console_page(inspector, "queue-handed")
    assert str(Handling.objects.get().user) == "mei"
    inspector.go(f"/ops/queues/problem/{there['problem'].public_id}")
    check_console_page(inspector, "queue-item")
    page.locator("[name=note]").last.fill("客户周五回电")
    page.locator("[name=deed][value=note]").click()
    page.locator(".messagelist").wait_for()
    check_console_page(inspector, "queue-noted")


@pytest.mark.parametrize("look", LOOKS if ALL_SCREENS else LOOKS[1:2], ids=lambda look: "-".join(map(str, look)))
def test_a_case_is_looked_at_and_closed(
    inspector_on: Callable[..., PageInspector], scenario: Scenario, look: tuple[int, str, str]
) -> None:
    case = one_item_per_queue(scenario.bank)["case"]
    inspector = inspector_on(look)
    comes_in(inspector)
    inspector.go(f"/ops/case/{case.public_id}")
    check_console_page(inspector, "case")
    inspector.go(f"/ops/do/{case.public_id}/close_case")
    inspector.page.locator("[name=resolution]").select_option("platform")
    inspector.page.locator("[name=note]").fill("银行不再答复")
    inspector.page.locator("[name=step][value=look]").click()
    check_console_page(inspector, "case-seen")
    inspector.page.locator(".console button.do").first.click()
    inspector.page.wait_for_url("**/ops/case/*")
    check_console_page(inspector, "case-closed")
    assert Case.objects.get().resolution == "platform"


@pytest.mark.parametrize("look", LOOKS if ALL_SCREENS else LOOKS[1:2], ids=lambda look: "-".join(map(str, look)))
def test_whoever_is_late_is_asked_and_what_they_said_is_noted(
    inspector_on: Callable[..., PageInspector], scenario: Scenario, look: tuple[int, str, str]
) -> None:
    orders.close_days(scenario.bank.realm_id, at=NOON, limit=99)
    inspector = inspector_on(look)
    page = inspector.page
    comes_in(inspector)
    inspector.go("/ops/collections/?mode=test")
    check_console_page(inspector, "worklist")
    inspector.go(f"/ops/collections/{scenario.ada.public_id}")
    check_console_page(inspector, "debtor")
    page.locator("[name=outcome]").select_option("promised")
    page.locator("[name=note]").fill("周三发工资")
    page.locator(".console button.do").first.click()
    page.locator(".errorlist").first.wait_for()
    check_console_page(inspector, "debtor-wrong")
    page.locator("[name=promised_on]").fill("2026-11-20")
    page.locator(".console button.do").first.click()
    page.locator(".messagelist").wait_for()
    check_console_page(inspector, "debtor-noted")
    assert Contact.objects.get().outcome == "promised"
    Realm.objects.filter(pk=scenario.bank.realm_id).update(frozen_at="2026-11-21T15:00:00Z")
    inspector.go("/ops/collections/?mode=test")
    check_console_page(inspector, "worklist-broken")
    inspector.go(f"/ops/collections/{scenario.ada.public_id}")
    check_console_page(inspector, "debtor-night")
