"""Finance reads in a letter that a bank sent a payout back, and says so on its page."""

from collections.abc import Callable

import pytest
from django.test import Client

from billing.models import Case
from kernel.forms import new_token
from tests.conftest import Shop
from tests.console.conftest import words_of
from tests.settlement.test_payouts_returned import LETTER, out


@pytest.mark.breaks_the_house  # the sandbox bank never sent it back
def test_finance_says_so_at_the_payout(power_bank: Shop, at_desk: Callable[..., Client]) -> None:
    row = out(power_bank)
    path = f"/ops/do/{row.public_id}/payout_returned"
    assert "¥5.96" in words_of(at_desk("finance").get(path))
    assert at_desk("support").get(path).status_code == 403
    sent = LETTER | {"note": "商户来电", "token": new_token()}
    assert at_desk("finance").post(path, sent).status_code == 302
    assert row.history.latest("seq").data["evidence"] == LETTER["evidence"]
    assert Case.objects.get(closed_at=None).payout_id == row.id
    assert at_desk("finance").get(path).status_code in (404, 409, 422)
