"""Whole pages of a person, a dispute, a debit and an agreement in a real browser, with somebody on the phone."""

from collections.abc import Callable

import pytest

from billing.models import Deduction, Dispute
from bnpl import demo
from bnpl.urls import CONSOLE
from credit.models import Agreement
from kernel.clock import live_now
from tests.browser.conftest import IN_ALL, Eye
from tests.browser.test_console_desks import looks

LOOKS = [
    (1280, "zh-CN", "light", "support"),
    (375, "en", "dark", "finance"),
    (1280, "en", "dark", "viewer"),
    (375, "zh-CN", "light", "supervisor"),
]
assert CONSOLE  # what takes two is registered there


@pytest.mark.parametrize("look", LOOKS if IN_ALL else LOOKS[1:2], ids=lambda look: "-".join(map(str, look)))
def test_somebody_phones_and_everything_is_there(
    eye_with: Callable[..., Eye], transactional_db: None, look: tuple[int, str, str, str]
) -> None:
    """Their number is typed into the box, and one press of Enter leads to all about them."""
    people = {person.reveal_name(): person for person in demo.play(live_now()).people}
    *screen, role = look
    eye = eye_with(tuple(screen))
    eye.sits_down(role)
    box, user = eye.page.locator("input[name=q]").first, people["康宁"].user
    box.fill(user.reveal_phone() if user else "")
    box.press("Enter")
    eye.page.wait_for_url(f"**/ops/person/{people['康宁'].public_id}")
    looks(eye, "person-disputed")
    for name, called in (("段欣", "late"), ("顾言", "wallet"), ("艾达", "kept")):
        eye.go(f"/ops/person/{people[name].public_id}")
        looks(eye, f"person-{called}")
    eye.go(f"/ops/dispute/{Dispute.objects.get().public_id}")
    looks(eye, "dispute")
    for row in (Dispute.objects.get().deduction, Deduction.objects.filter(state="failed").earliest("id")):
        eye.go(f"/ops/deduction/{row.public_id}")
        looks(eye, f"debit-{row.state}")
    eye.go(f"/ops/agreement/{Agreement.objects.filter(state='active').latest('live_orders').public_id}")
    looks(eye, "agreement")
