"""The book in the console: a day adds up, an account is read line by line, and nonsense is said to be some."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from kernel.models import LIVE
from ledger import closing, statements
from tests.billing.helpers import issue_refund, paid_order
from tests.conftest import NOON, Shop
from tests.console.conftest import page_text
from tests.unchanged import assert_unchanged

DAY = "2026-11-20"


def test_a_day_of_the_book_adds_up_and_says_what_came_in(
    power_bank: Shop, console_client: Callable[..., Client]
) -> None:
    order = paid_order(power_bank)
    issue_refund(order, "2")
    closing.close_days(power_bank.realm_id, at=NOON + timedelta(days=1))
    begins, ends = closing.day_bounds(NOON.date())
    rows = statements.daily_trial_balance(power_bank.realm_id, begins, ends)
    assert sum(row.debits for row in rows) == sum(row.credits for row in rows) > 0
    assert {row.code: row.after for row in rows if row.after} == {"clearing:sandbox": 400, "payable": 398, "fees": 2}

    page = console_client("auditor").get(f"/ops/book/?on={DAY}&realm={power_bank.realm_id}")
    text = page_text(page)
    for said in ("clearing:sandbox", "¥4.00", "¥3.98", "已关账", "fees", "¥0.02"):
        assert said in text, said
    shown = page.content.decode()
    assert f"?code=fees&amp;first={DAY}&amp;last={DAY}&amp;realm={power_bank.realm_id}" in shown
    assert "?code=payable&" not in shown, "each merchant has one"
    assert '<option value="suspense">' in shown
    next_day = page_text(console_client("auditor").get(f"/ops/book/?on=2026-11-21&realm={power_bank.realm_id}"))
    assert "¥3.98" in next_day
    assert "尚未关账" in next_day


def test_a_merchants_and_a_persons_sub_ledger_end_in_what_they_hold(
    power_bank: Shop, console_client: Callable[..., Client]
) -> None:
    order = paid_order(power_bank)
    issue_refund(order, "2")
    viewer = console_client("viewer", language="en")
    span = f"realm={power_bank.realm_id}&first={DAY}&last={DAY}"
    payable = viewer.get(f"/ops/book/account?code=payable&owner={power_bank.merchant.public_id}&{span}")
    lines = payable.context["found"].lines
    assert [line.after for line in lines] == [600, 596, 396, 398]
    assert "CN¥3.98" in page_text(payable) or "¥3.98" in page_text(payable)
    owed = viewer.get(f"/ops/book/account?code=receivable&owner={order.person.public_id}&{span}").context["found"]
    assert [line.after for line in owed.lines] == [600, 0]
    later = f"realm={power_bank.realm_id}&first=2026-11-21&last=2026-11-22"
    after = viewer.get(f"/ops/book/account?code=fees&{later}").context["found"]
    assert (after.before, after.lines) == ({"CNY": 2}, [])


def test_while_nothing_was_ever_booked_live_the_first_sandbox_with_a_book_is_shown(
    power_bank: Shop, console_client: Callable[..., Client]
) -> None:
    viewer = console_client("viewer")
    assert viewer.get("/ops/book/").context["realm"].pk == LIVE
    paid_order(power_bank)
    assert viewer.get("/ops/book/").context["realm"].pk == power_bank.realm_id


def test_what_makes_no_sense_is_said_beside_its_field(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    viewer = console_client("viewer")
    span = f"first={DAY}&last={DAY}"
    with assert_unchanged("django_session"):
        for query in (
            "",
            f"code=gold&{span}",
            f"code=payable&{span}",
            f"code=payable&owner=per_{'0' * 32}&{span}",
            f"code=fees&first={DAY}&last=2026-11-19",
            f"code=fees&first=0001-01-01&last={DAY}",
            f"code=clearing:&{span}",
            "code=fees&first=%00&last=x",
        ):
            assert viewer.get(f"/ops/book/account?{query}").status_code == 422, query
        for query in ("on=x", "on=9999-12-31", "on=0001-01-01", ""):
            assert viewer.get(f"/ops/book/?{query}").status_code == 200, query
        for realm in ("x", "999999", "-1", "²"):
            assert viewer.get(f"/ops/book/?realm={realm}").status_code == 404, realm


def test_a_day_asks_the_same_however_much_was_booked(
    power_bank: Shop, console_client: Callable[..., Client], django_assert_num_queries: Callable[..., object]
) -> None:
    viewer = console_client("viewer")
    address = f"/ops/book/?on={DAY}&realm={power_bank.realm_id}"
    for _ in range(2):
        paid_order(power_bank)
        viewer.get(address)
        with django_assert_num_queries(8):  # type: ignore[attr-defined]
            viewer.get(address)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "1970-12-31", "3000-01-01"])
def test_days_that_no_book_has_are_said_beside_their_field(
    power_bank: Shop, console_client: Callable[..., Client], day: str
) -> None:
    desk, realm = console_client("auditor"), power_bank.realm_id
    asked = f"/ops/book/account?code=fees&first={day}&last={day}&realm={realm}"
    assert desk.get(asked).status_code == 422
    assert desk.get(f"/ops/book/?on={day}&realm={realm}").status_code == 200, "today's is shown"


@pytest.mark.parametrize("number", ["9" * 5000, f"{2**63}", "-1", "x"], ids=len)
def test_a_world_that_cannot_be_is_not_found(console_client: Callable[..., Client], number: str) -> None:
    for page in ("", "account"):
        assert console_client("auditor").get(f"/ops/book/{page}?realm={number}").status_code == 404
