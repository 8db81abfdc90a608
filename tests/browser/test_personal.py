"""What is a person's own, in a real browser: a copy, a proof and what a stranger sees of it, and the way out."""

from datetime import UTC, datetime
from pathlib import Path

from billing.services.deduct import deduct_due
from personal.services import copying
from tests.browser.conftest import Eye, Story, sign_in
from tests.conftest import NOON, completed, someone, yuan


def test_a_copy_is_asked_for_watched_and_fetched(eye: Eye, story: Story) -> None:
    eye.go("/settings/data/")
    sign_in(eye, story.ada)
    eye.sees("data")
    eye.page.locator("main form button").click()
    eye.page.wait_for_selector("progress")
    eye.sees("data-making")
    copying.make_exports(at=datetime.now(UTC), seconds=60)  # noqa: TID251  copies live in real time
    eye.page.locator("main .buttons a").click()
    eye.sees("data-ready")
    with eye.page.expect_download() as fetched:
        eye.page.locator("main li a.button").click()
    assert Path(fetched.value.path()).read_bytes().startswith(b"PK")
    eye.go("/settings/leave/")
    eye.sees("leave-hindered")


def test_a_proof_is_made_shown_checked_and_revoked_and_its_person_leaves(eye: Eye, story: Story) -> None:
    bo = someone(story.bank, name="博")
    completed(story.bank, bo, yuan("12"))
    deduct_due(story.bank.realm_id, at=NOON)
    eye.go("/settings/proofs/")
    sign_in(eye, bo)
    eye.sees("proofs")
    eye.page.locator("main form button").click()
    eye.page.wait_for_selector("svg.scan")
    eye.sees("proof")
    eye.page.locator("main .buttons a").first.click()
    eye.sees("proof-checked")
    eye.go("/proof/a.b.c")
    eye.sees("proof-foreign")
    eye.go("/proof/")
    eye.sees("proof-check")
    eye.go("/settings/proofs/")
    eye.page.locator("main li a").click()
    eye.page.locator("button.stop").click()
    eye.page.wait_for_selector("[role=status]")
    eye.sees("proofs-revoked")
    eye.go("/settings/leave/")
    eye.sees("leave")
    eye.page.locator("input[name=understood]").check()
    eye.page.locator("button.stop").click()
    eye.page.wait_for_selector("#asked")
    eye.sees("leave-asked")
