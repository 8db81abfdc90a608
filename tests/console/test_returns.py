"""Colleagues decide returns that merchants refused; and two publish who has money back ahead of one."""

from collections.abc import Callable

import pytest
from django.test import Client

from billing.models import Return, ReturnPolicy
from billing.services import return_policy
from billing.services.return_ends import refuse_return
from tests.billing.bench import balances, paid
from tests.billing.returning import now, sent_back
from tests.conftest import BY, NOON, Shop
from tests.console.conftest import does, words_of
from tests.office.seconds import ASKED, asked, decided
from tests.stillness import nothing_moves
from tests.visiting import it_is

PAGE = "/ops/returns/"
FORM = {"score_min": "600", "ceiling_minor": "1000.00", "open_max": "3", "within_days": "15", "answer_days": "7"}
FORM |= {"remind_days": "2", "note": "试行放宽"}


@pytest.fixture
def refused(power_bank: Shop) -> Return:
    order = paid(power_bank)
    it_is(NOON, order.person)
    row = sent_back(order)
    return refuse_return(row.id, "少一件", by=BY, at=NOON)


@pytest.mark.parametrize(
    ("verb", "came"),
    [
        ("return_came", ("confirmed", {})),
        ("return_denied", ("denied", {"receivable": 600, "payable": 596, "fees": 4})),
        ("return_borne", ("borne", {"losses": 600, "payable": 596, "fees": 4})),
    ],
)
def test_one_of_three_bears_it(
    verb: str, came: tuple[str, dict[str, int]], refused: Return, power_bank: Shop, at_desk: Callable[..., Client]
) -> None:
    support, path = at_desk("support"), f"/ops/do/{refused.public_id}/{verb}"
    assert "商户说明：少一件。" in words_of(support.get(path))
    assert at_desk("finance").get(path).status_code == 403
    with nothing_moves("django_session", "kernel_auditline", "kernel_audithead", "kernel_idempotencykey"):
        assert does(support, path, note=" ").status_code == 422
    assert does(support, path, note="看过录像").status_code == 302
    assert (now(refused).state, balances(power_bank)) == came
    assert support.get(path).status_code == 404
    whole = at_desk("viewer").get(f"/ops/order/{refused.order.public_id}")
    assert refused.public_id in whole.content.decode()


def test_two_publish_who_is_trusted_and_what_has_begun_keeps_its_days(
    power_bank: Shop, at_desk: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(return_policy, "LIVE", power_bank.realm_id)
    before, risk, boss = sent_back(paid(power_bank)), at_desk("risk"), at_desk("supervisor")
    with nothing_moves(*ASKED):
        row = asked(risk, PAGE, **FORM)
    assert "600" in words_of(boss.get(f"/ops/second/{row.public_id}"))
    decided(boss, row)
    made = ReturnPolicy.objects.get(version=2)
    assert (made.terms["answer_days"], made.reason, "+" in made.by) == (7, "试行放宽", True)
    assert (now(before).answer_until - before.opened_at).days == 10
    amounts = [{"ceiling_minor": text} for text in ("", "-5", "1e3", "１２", "12.345", "500元", "💴", "9" * 40)]
    terms = ({"score_min": "349"}, {"remind_days": "7"}, {"answer_days": "x"}, {"open_max": "-1"}, {"note": " "})
    for wrong in (*terms, *amounts):
        with nothing_moves(*ASKED[2:]):
            assert does(boss, PAGE, **(FORM | wrong)).status_code == 422, wrong
    assert 'value="650"' in boss.get(f"{PAGE}?version=1").content.decode()
    assert at_desk("support").get(PAGE).status_code == 403
