"""A case's detail page, and closing the case alone or with approval."""

from collections.abc import Callable

from django.test import Client

from billing.models import Case
from billing.services.disputes import Chargeback, record_chargeback
from tests.billing.helpers import balances, latest_deduction_of, paid_order
from tests.conftest import BY, NOON, Shop, make_shop, yuan
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged


def case_of(shop: Shop, amount: str) -> Case:
    """A channel took back another amount than there is."""
    row = latest_deduction_of(paid_order(shop))
    record_chargeback(row.id, Chargeback("x-1", yuan(amount), "no_funds"), by=BY, at=NOON)
    return Case.objects.get()


def test_a_case_is_closed_from_its_own_page(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    case = case_of(power_bank, "7")
    finance = console_client("finance")
    page = page_text(finance.get(f"/ops/case/{case.public_id}"))
    for word in ("渠道退回的金额与剩余不符", "¥7.00", "x-1", "暂记"):
        assert word in page
    path = f"/ops/do/{case.public_id}/close_case"
    form = finance.get(path).content.decode()
    assert 'value="platform"' in form
    assert 'value="wallet"' not in form
    with assert_unchanged("kernel_idempotencykey"):
        assert submit_form(finance, path, resolution="wallet", note="x").status_code == 422
        assert submit_form(finance, path, resolution="", note="x").status_code == 422
        look = {"resolution": "platform", "note": "x", "step": "look", "token": "0" * 24}
        assert "案件结案" in page_text(finance.post(path, look))
    assert submit_form(finance, path, resolution="platform", note="银行不再答复<b>").status_code == 302
    done = Case.objects.get()
    assert (done.resolution, done.closed_because, balances(power_bank)["losses"]) == (
        "platform",
        "银行不再答复<b>",
        700,
    )
    assert "由平台承担" in page_text(finance.get(f"/ops/case/{case.public_id}"))
    assert finance.get(path).status_code == 404
    assert finance.get("/ops/case/cas_0").status_code == 404


def test_closing_a_large_case_needs_approval(console_client: Callable[..., Client]) -> None:
    shop = make_shop("大件", ceiling_minor=500_000)
    case = case_of(shop, "1000")
    path = f"/ops/do/{case.public_id}/close_case"
    assert console_client("support").get(path).status_code == 403
    finance, supervisor = console_client("finance"), console_client("supervisor", language="en")
    with assert_unchanged(*PROPOSAL_TABLES):
        row = propose_on_page(finance, path, resolution="returned", note="银行已更正")
        assert decide_on_page(finance, row).status_code == 422
    page = page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    assert "Close case" in page
    assert "Case Closed" in page
    decide_on_page(supervisor, row, because="agreed")
    done = Case.objects.get()
    assert (done.resolution, "+" in done.closed_by, "suspense" in balances(shop)) == ("returned", True, False)
