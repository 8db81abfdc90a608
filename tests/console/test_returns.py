"""Staff decide refused returns, and publish the early refund policy."""

from collections.abc import Callable

import pytest
from django.test import Client

from billing.models import Return, ReturnPolicy
from billing.services import return_policies
from billing.services.return_decisions import refuse_return
from tests.billing.helpers import balances, paid_order
from tests.billing.return_helpers import opened_return, reloaded
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged

PAGE = "/ops/returns/"
FORM = {"score_min": "600", "ceiling_minor": "1000.00", "open_max": "3", "within_days": "15", "answer_days": "7"}
FORM |= {"remind_days": "2", "note": "试行放宽"}


@pytest.fixture
def refused(power_bank: Shop) -> Return:
    order = paid_order(power_bank)
    freeze_clock(NOON, order.person)
    row = opened_return(order)
    return refuse_return(row.id, "少一件", by=BY, at=NOON)


@pytest.mark.parametrize(
    ("verb", "came"),
    [
        ("return_came", ("confirmed", {})),
        ("return_denied", ("denied", {"receivable": 600, "payable": 596, "fees": 4})),
        ("return_borne", ("borne", {"losses": 600, "payable": 596, "fees": 4})),
    ],
)
def test_a_refused_return_is_decided_in_one_of_three_ways(
    verb: str,
    came: tuple[str, dict[str, int]],
    refused: Return,
    power_bank: Shop,
    console_client: Callable[..., Client],
) -> None:
    support, path = console_client("support"), f"/ops/do/{refused.public_id}/{verb}"
    assert "商户说明：少一件。" in page_text(support.get(path))
    assert console_client("finance").get(path).status_code == 403
    with assert_unchanged("django_session", "kernel_auditline", "kernel_audithead", "kernel_idempotencykey"):
        assert submit_form(support, path, note=" ").status_code == 422
    assert submit_form(support, path, note="看过录像").status_code == 302
    assert (reloaded(refused).state, balances(power_bank)) == came
    assert support.get(path).status_code == 404
    whole = console_client("viewer").get(f"/ops/order/{refused.order.public_id}")
    assert refused.public_id in whole.content.decode()


def test_the_policy_is_published_by_two_and_open_returns_keep_their_deadline(
    power_bank: Shop, console_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(return_policies, "LIVE", power_bank.realm_id)
    before, risk, supervisor = (
        opened_return(paid_order(power_bank)),
        console_client("risk"),
        console_client("supervisor"),
    )
    with assert_unchanged(*PROPOSAL_TABLES):
        row = propose_on_page(risk, PAGE, **FORM)
    assert "600" in page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    decide_on_page(supervisor, row)
    made = ReturnPolicy.objects.get(version=2)
    assert (made.terms["answer_days"], made.reason, "+" in made.by) == (7, "试行放宽", True)
    assert (reloaded(before).answer_until - before.opened_at).days == 10
    amounts = [{"ceiling_minor": text} for text in ("", "-5", "1e3", "12.345", "💴", "9" * 40)]
    terms = ({"score_min": "349"}, {"remind_days": "7"}, {"answer_days": "x"}, {"open_max": "-1"}, {"note": " "})
    for wrong in (*terms, *amounts):
        with assert_unchanged(*PROPOSAL_TABLES[2:]):
            assert submit_form(supervisor, PAGE, **(FORM | wrong)).status_code == 422, wrong
    assert 'value="650"' in supervisor.get(f"{PAGE}?version=1").content.decode()
    assert console_client("support").get(PAGE).status_code == 403
