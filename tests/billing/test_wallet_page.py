"""The wallet page."""

import pytest

from accounts.models import Person
from billing.models import WalletEntry
from billing.services.instruments import open_wallet
from tests.browsing import client_for, form_token, visible_text
from tests.conftest import NOON


def test_a_wallet_is_withdrawn_once_per_form(ada: Person) -> None:
    open_wallet(ada, at=NOON)
    browser = client_for(ada)
    assert "提现" not in visible_text(browser.get("/wallet/"))
    browser.post("/wallet/top-up", {"amount": "20", "token": form_token(browser.get("/wallet/"))})
    page = browser.get("/wallet/")
    assert 'name="amount" inputmode="decimal" autocomplete="off" required value="20.00"' in page.content.decode()
    form = {"amount": "12.5", "token": form_token(page)}
    for _click in range(2):
        assert browser.post("/wallet/take-out", form)["Location"] == "/wallet/"
    page = visible_text(browser.get("/wallet/"))
    assert "¥12.50 已提现到您的银行" in page
    assert "余额 ¥7.50" in page
    assert "提现 −¥12.50" in page
    for amount in ("0", "-1", "x", "", "7.51", "1.001", "１２", "💴", "1e3", "9" * 100_000):
        answer = browser.post("/wallet/take-out", {"amount": amount, "token": form_token(browser.get("/wallet/"))})
        assert answer.status_code == 422, amount
        assert 'id="not-out"' in answer.content.decode()
    assert WalletEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"amount": "0"}, 422),
        ({"amount": "50000.01"}, 422),
        ({"amount": "x"}, 422),
        ({"amount": "5", "token": ""}, 422),
        ({"amount": "5", "token": "0" * 23 + "g"}, 422),
    ],
)
def test_an_invalid_top_up_is_refused(ada: Person, fields: dict[str, str], status: int) -> None:
    open_wallet(ada, at=NOON)
    browser = client_for(ada)
    answer = browser.post("/wallet/top-up", {"token": form_token(browser.get("/wallet/")), **fields})
    assert answer.status_code == status
    assert 'role="alert"' in answer.content.decode()
    assert not WalletEntry.objects.exists()


def test_wallet_entries_are_paginated(ada: Person) -> None:
    open_wallet(ada, at=NOON)
    browser = client_for(ada)
    for _ in range(21):
        browser.post("/wallet/top-up", {"amount": "1", "token": form_token(browser.get("/wallet/"))})
    first = browser.get("/wallet/")
    assert visible_text(first).count("充值 +¥1.00") == 20
    assert visible_text(browser.get(f"/wallet/?cursor={first.context['next_cursor']}")).count("充值 +¥1.00") == 1
    assert browser.get("/wallet/?cursor=x").status_code == 422
