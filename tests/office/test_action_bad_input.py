"""Bad input in the actions on returned money: shown beside its field, and nothing is posted."""

from collections.abc import Callable

import pytest
from django.test import Client

from billing.models import Case, Wallet
from tests.conftest import Shop
from tests.console.conftest import submit_form
from tests.nonsense import NONSENSE
from tests.office.test_wallet_payout_approval import left
from tests.settlement.test_payout_returns import paid_out

EVERY = (*NONSENSE, "", " ", "💴" * 61)


@pytest.mark.parametrize("text", EVERY, ids=range(len(EVERY)))
def test_a_payment_to_whoever_left(power_bank: Shop, console_client: Callable[..., Client], text: str) -> None:
    person = left(power_bank).person
    answer = submit_form(
        console_client("finance"), f"/ops/do/{person.public_id}/pay_out_left", reference=text, note=text
    )
    assert answer.status_code in (302, 422)
    assert Wallet.objects.get(pk=person.id).balance_minor == 200, "nobody pays it out alone"


@pytest.mark.breaks_invariants  # the sandbox bank never sent it back
@pytest.mark.parametrize("text", EVERY, ids=range(len(EVERY)))
def test_a_payout_that_came_back(power_bank: Shop, console_client: Callable[..., Client], text: str) -> None:
    row = paid_out(power_bank)
    path = f"/ops/do/{row.public_id}/payout_returned"
    assert console_client("viewer").get(path).status_code == 403
    answer = submit_form(console_client("finance"), path, txn=text, evidence=text, note=text)
    assert answer.status_code in (302, 422)
    assert Case.objects.count() == (answer.status_code == 302)
