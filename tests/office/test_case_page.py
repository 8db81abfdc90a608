"""A case on its own page: all that speaks for it, and the way to close it, alone or by two."""

from collections.abc import Callable

from django.test import Client

from billing.models import Case
from billing.services.disputes import Withdrawal, take_back
from tests.billing.bench import balances, deduction_of, paid
from tests.conftest import BY, NOON, Shop, make_shop, yuan
from tests.console.conftest import does, words_of
from tests.office.seconds import ASKED, asked, decided
from tests.stillness import nothing_moves


def case_of(shop: Shop, amount: str) -> Case:
    """A channel took back another amount than there is."""
    row = deduction_of(paid(shop))
    take_back(row.id, Withdrawal("x-1", yuan(amount), "no_funds"), by=BY, at=NOON)
    return Case.objects.get()


def test_a_case_is_closed_from_its_own_page(power_bank: Shop, at_desk: Callable[..., Client]) -> None:
    case = case_of(power_bank, "7")
    finance = at_desk("finance")
    page = words_of(finance.get(f"/ops/case/{case.public_id}"))
    for word in ("渠道退回的金额与剩余不符", "¥7.00", "x-1", "暂记"):
        assert word in page
    path = f"/ops/do/{case.public_id}/close_case"
    form = finance.get(path).content.decode()
    assert 'value="platform"' in form
    assert 'value="wallet"' not in form
    with nothing_moves("kernel_idempotencykey"):
        assert does(finance, path, resolution="wallet", note="x").status_code == 422
        assert does(finance, path, resolution="", note="x").status_code == 422
        look = {"resolution": "platform", "note": "x", "step": "look", "token": "0" * 24}
        assert "案件结案" in words_of(finance.post(path, look))
    assert does(finance, path, resolution="platform", note="银行不再答复<b>").status_code == 302
    done = Case.objects.get()
    assert (done.resolution, done.closed_because, balances(power_bank)["losses"]) == (
        "platform",
        "银行不再答复<b>",
        700,
    )
    assert "由平台承担" in words_of(finance.get(f"/ops/case/{case.public_id}"))
    assert finance.get(path).status_code == 404
    assert finance.get("/ops/case/cas_0").status_code == 404


def test_a_large_case_takes_two_who_may(at_desk: Callable[..., Client]) -> None:
    shop = make_shop("大件", ceiling_minor=500_000)
    case = case_of(shop, "1000")
    path = f"/ops/do/{case.public_id}/close_case"
    assert at_desk("support").get(path).status_code == 403
    finance, boss = at_desk("finance"), at_desk("supervisor", language="en")
    with nothing_moves(*ASKED):
        row = asked(finance, path, resolution="returned", note="银行已更正")
        assert decided(finance, row).status_code == 422
    page = words_of(boss.get(f"/ops/second/{row.public_id}"))
    assert "Close case" in page
    assert "Case Closed" in page
    decided(boss, row, because="agreed")
    done = Case.objects.get()
    assert (done.resolution, "+" in done.closed_by, "suspense" in balances(shop)) == ("returned", True, False)
