"""Staff resolve statement discrepancies: small ones alone, large ones with a second approval."""

from collections.abc import Callable

from django.test import Client

from billing.models import Break
from tests.billing.helpers import balances
from tests.billing.statements import STRAY, import_file, statement_of
from tests.conftest import Shop
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged


def test_a_break_is_moved_to_suspense(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    import_file(power_bank, statement_of([STRAY]))
    row = Break.objects.get()
    path = f"/ops/do/{row.public_id}/suspense"
    finance = console_client("finance")
    page = finance.get(path)
    assert "clearing:sandbox → suspense" in page_text(page)
    assert "转入暂记" in finance.get(f"/ops/billing/break/{row.pk}/change/").content.decode()
    with assert_unchanged():
        assert finance.post(path, {"note": "没有令牌"}).status_code == 422
    assert submit_form(finance, path, note="银行多扣<b>").status_code == 302
    row.refresh_from_db()
    assert (row.resolution, row.closed_because) == ("suspense", "银行多扣<b>")
    assert balances(power_bank)["suspense"] == 700
    with assert_unchanged("django_session"):
        assert finance.get(path).status_code == 404


def test_a_large_break_needs_approval_by_permitted_staff(
    power_bank: Shop, console_client: Callable[..., Client]
) -> None:
    import_file(power_bank, statement_of([STRAY | {"amount": 100_000}]))
    path = f"/ops/do/{Break.objects.get().public_id}/nothing"
    assert console_client("support").get(path).status_code == 403
    finance = console_client("finance")
    assert "须由另一位同事" in page_text(finance.get(path))
    row = propose_on_page(finance, path, note="银行已更正")
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert decide_on_page(finance, row).status_code == 422
    supervisor = console_client("supervisor", language="en")
    assert "No discrepancy" in page_text(supervisor.get("/ops/second/"))
    decide_on_page(supervisor, row, because="agreed")
    done = Break.objects.get()
    assert (done.resolution, done.closed_because, "+" in done.closed_by) == ("nothing", "银行已更正", True)


def test_approval_is_void_once_the_resolver_has_processed_the_break(
    power_bank: Shop, console_client: Callable[..., Client]
) -> None:
    import_file(power_bank, statement_of([STRAY | {"amount": 100_000}]))
    heard = Break.objects.get().heard_at
    Break.objects.update(heard_at=None)
    row = propose_on_page(console_client("finance"), f"/ops/do/{Break.objects.get().public_id}/nothing", note="x")
    supervisor = console_client("supervisor")
    assert "已交自动处理" in page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    Break.objects.update(heard_at=heard)
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert decide_on_page(supervisor, row).status_code == 422
