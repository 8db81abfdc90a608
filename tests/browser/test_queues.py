"""The queues, a case and the worklist in a real browser: taken, handed over, closed and noted by keyboard, in words."""

from collections.abc import Callable

import pytest

from accounts import services as accounts
from accounts.models import Contact
from billing.models import Case
from bnpl.urls import CONSOLE
from kernel.models import Realm
from office.models import Handling
from orders import services as orders
from tests.browser.conftest import IN_ALL, Eye, Story
from tests.browser.test_console_desks import looks
from tests.conftest import BY, NOON
from tests.office.waiting import one_of_each

LOOKS = [(1280, "zh-CN", "light"), (375, "en", "dark"), (375, "zh-CN", "light")]
assert CONSOLE  # what takes two is registered there


def comes_in(eye: Eye) -> None:
    """A supervisor; and a colleague to whom things can be handed."""
    accounts.create_staff("mei", "correct horse battery", roles=["support"], by=BY, at=NOON)
    eye.sits_down("supervisor")


@pytest.mark.parametrize("look", LOOKS if IN_ALL else LOOKS[1:2], ids=lambda look: "-".join(map(str, look)))
def test_what_waits_is_taken_and_handed_over(
    eye_with: Callable[..., Eye], story: Story, look: tuple[int, str, str]
) -> None:
    there = one_of_each(story.bank)
    eye = eye_with(look)
    page = eye.page
    comes_in(eye)
    eye.go("/ops/queues/?mode=test")
    looks(eye, "queues")
    for name in there:
        eye.go(f"/ops/queues/{name}?mode=test")
        looks(eye, f"queue-{name}")
    eye.go("/ops/queues/problem?mode=test")
    page.locator("[name=row]").first.focus()
    page.keyboard.press("Space")
    page.locator("[name=to]").select_option(label="mei")
    page.locator(".console form button.do").last.focus()
    page.keyboard.press("Enter")
    page.locator(".messagelist").wait_for()
    looks(eye, "queue-handed")
    assert str(Handling.objects.get().user) == "mei"
    eye.go(f"/ops/queues/problem/{there['problem'].public_id}")
    looks(eye, "queue-item")
    page.locator("[name=note]").last.fill("客户周五回电")
    page.locator("[name=deed][value=note]").click()
    page.locator(".messagelist").wait_for()
    looks(eye, "queue-noted")


@pytest.mark.parametrize("look", LOOKS if IN_ALL else LOOKS[1:2], ids=lambda look: "-".join(map(str, look)))
def test_a_case_is_looked_at_and_closed(eye_with: Callable[..., Eye], story: Story, look: tuple[int, str, str]) -> None:
    case = one_of_each(story.bank)["case"]
    eye = eye_with(look)
    comes_in(eye)
    eye.go(f"/ops/case/{case.public_id}")
    looks(eye, "case")
    eye.go(f"/ops/do/{case.public_id}/close_case")
    eye.page.locator("[name=resolution]").select_option("platform")
    eye.page.locator("[name=note]").fill("银行不再答复")
    eye.page.locator("[name=step][value=look]").click()
    looks(eye, "case-seen")
    eye.page.locator(".console button.do").first.click()
    eye.page.wait_for_url("**/ops/case/*")
    looks(eye, "case-closed")
    assert Case.objects.get().resolution == "platform"


@pytest.mark.parametrize("look", LOOKS if IN_ALL else LOOKS[1:2], ids=lambda look: "-".join(map(str, look)))
def test_whoever_is_late_is_asked_and_what_they_said_is_noted(
    eye_with: Callable[..., Eye], story: Story, look: tuple[int, str, str]
) -> None:
    orders.close_days(story.bank.realm_id, at=NOON, limit=99)
    eye = eye_with(look)
    page = eye.page
    comes_in(eye)
    eye.go("/ops/collections/?mode=test")
    looks(eye, "worklist")
    eye.go(f"/ops/collections/{story.ada.public_id}")
    looks(eye, "debtor")
    page.locator("[name=outcome]").select_option("promised")
    page.locator("[name=note]").fill("周三发工资")
    page.locator(".console button.do").first.click()
    page.locator(".errorlist").first.wait_for()
    looks(eye, "debtor-wrong")
    page.locator("[name=promised_on]").fill("2026-11-20")
    page.locator(".console button.do").first.click()
    page.locator(".messagelist").wait_for()
    looks(eye, "debtor-noted")
    assert Contact.objects.get().outcome == "promised"
    Realm.objects.filter(pk=story.bank.realm_id).update(frozen_at="2026-11-21T15:00:00Z")
    eye.go("/ops/collections/?mode=test")
    looks(eye, "worklist-broken")
    eye.go(f"/ops/collections/{story.ada.public_id}")
    looks(eye, "debtor-night")
