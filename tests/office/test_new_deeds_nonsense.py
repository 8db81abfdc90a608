"""What nobody can mean, written into the deeds about money that came back: said beside its field, and nothing moves."""

from collections.abc import Callable

import pytest
from django.test import Client

from billing.models import Case, Wallet
from tests.conftest import Shop
from tests.console.conftest import does
from tests.nonsense import NONSENSE
from tests.office.test_left_behind import left
from tests.settlement.test_payouts_returned import out

EVERY = (*NONSENSE, "", " ", "💴" * 61)


@pytest.mark.parametrize("text", EVERY, ids=range(len(EVERY)))
def test_a_payment_to_whoever_left(power_bank: Shop, at_desk: Callable[..., Client], text: str) -> None:
    person = left(power_bank).person
    answer = does(at_desk("finance"), f"/ops/do/{person.public_id}/pay_out_left", reference=text, note=text)
    assert answer.status_code in (302, 422)
    assert Wallet.objects.get(pk=person.id).balance_minor == 200, "nobody pays it out alone"


@pytest.mark.breaks_the_house  # the sandbox bank never sent it back
@pytest.mark.parametrize("text", EVERY, ids=range(len(EVERY)))
def test_a_payout_that_came_back(power_bank: Shop, at_desk: Callable[..., Client], text: str) -> None:
    row = out(power_bank)
    path = f"/ops/do/{row.public_id}/payout_returned"
    assert at_desk("viewer").get(path).status_code == 403
    answer = does(at_desk("finance"), path, txn=text, evidence=text, note=text)
    assert answer.status_code in (302, 422)
    assert Case.objects.count() == (answer.status_code == 302)
