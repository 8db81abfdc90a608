"""Whole pages of a person, a dispute, a debit and an agreement in a real browser, with somebody on the phone."""

from collections.abc import Callable

import pytest

from billing.models import Deduction, Dispute
from bnpl import demo
from bnpl.urls import CONSOLE_URLS
from credit.models import Agreement
from kernel.clock import live_now
from tests.browser.conftest import ALL_SCREENS, PageInspector
from tests.browser.test_console_pages import check_console_page

LOOKS = [
    (1280, "zh-CN", "light", "support"),
    (375, "en", "dark", "finance"),
    (1280, "en", "dark", "viewer"),
    (375, "zh-CN", "light", "supervisor"),
]
assert CONSOLE_URLS  # what takes two is registered there


@pytest.mark.parametrize("look", LOOKS if ALL_SCREENS else LOOKS[1:2], ids=lambda look: "-".join(map(str, look)))
def test_somebody_phones_and_everything_is_there(
    inspector_on: Callable[..., PageInspector], transactional_db: None, look: tuple[int, str, str, str]
) -> None:
    """Their number is typed into the box, and one press of Enter leads to all about them."""
    people = {person.reveal_name(): person for person in demo.create_demo(live_now()).people}
    *screen, role = look
    inspector = inspector_on(tuple(screen))
    inspector.sign_in_staff(role)
    box, user = inspector.page.locator("input[name=q]").first, people["康宁"].user
    box.fill(user.reveal_phone() if user else "")
    box.press("Enter")
    inspector.page.wait_for_url(f"**/ops/person/{people['康宁'].public_id}")
    check_console_page(inspector, "person-disputed")
    for name, called in (("段欣", "late"), ("顾言", "wallet"), ("艾达", "kept")):
        inspector.go(f"/ops/person/{people[name].public_id}")
        check_console_page(inspector, f"person-{called}")
    inspector.go(f"/ops/dispute/{Dispute.objects.get().public_id}")
    check_console_page(inspector, "dispute")
    for row in (Dispute.objects.get().deduction, Deduction.objects.filter(state="failed").earliest("id")):
        inspector.go(f"/ops/deduction/{row.public_id}")
        check_console_page(inspector, f"debit-{row.state}")
    inspector.go(f"/ops/agreement/{Agreement.objects.filter(state='active').latest('live_orders').public_id}")
    check_console_page(inspector, "agreement")
