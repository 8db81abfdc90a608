"""What is a person's own, in a real browser: a copy, a proof and what a stranger sees of it, and the way out."""

from datetime import UTC, datetime
from pathlib import Path

from billing.services.deduct import deduct_due
from personal.services import export_builder
from tests.browser.conftest import PageInspector, Scenario, sign_in
from tests.conftest import NOON, make_due_order, make_person, yuan


def test_a_copy_is_asked_for_watched_and_fetched(inspector: PageInspector, scenario: Scenario) -> None:
    inspector.go("/settings/data/")
    sign_in(inspector, scenario.ada)
    inspector.check_page("data")
    inspector.page.locator("main form button").click()
    inspector.page.wait_for_selector("progress")
    inspector.check_page("data-making")
    export_builder.make_exports(at=datetime.now(UTC), seconds=60)  # noqa: TID251  copies live in real time
    inspector.page.locator("main .buttons a").click()
    inspector.check_page("data-ready")
    with inspector.page.expect_download() as fetched:
        inspector.page.locator("main li a.button").click()
    assert Path(fetched.value.path()).read_bytes().startswith(b"PK")
    inspector.go("/settings/leave/")
    inspector.check_page("leave-hindered")


def test_a_proof_is_made_shown_checked_and_revoked_and_its_person_leaves(
    inspector: PageInspector, scenario: Scenario
) -> None:
    bo = make_person(scenario.bank, name="博")
    make_due_order(scenario.bank, bo, yuan("12"))
    deduct_due(scenario.bank.realm_id, at=NOON)
    inspector.go("/settings/proofs/")
    sign_in(inspector, bo)
    inspector.check_page("proofs")
    inspector.page.locator("main form button").click()
    inspector.page.wait_for_selector("svg.scan")
    inspector.check_page("proof")
    inspector.page.locator("main .buttons a").first.click()
    inspector.check_page("proof-checked")
    inspector.go("/proof/a.b.c")
    inspector.check_page("proof-foreign")
    inspector.go("/proof/")
    inspector.check_page("proof-check")
    inspector.go("/settings/proofs/")
    inspector.page.locator("main li a").click()
    inspector.page.locator("button.stop").click()
    inspector.page.wait_for_selector("[role=status]")
    inspector.check_page("proofs-revoked")
    inspector.go("/settings/leave/")
    inspector.check_page("leave")
    inspector.page.locator("input[name=understood]").check()
    inspector.page.locator("button.stop").click()
    inspector.page.wait_for_selector("#asked")
    inspector.check_page("leave-asked")
