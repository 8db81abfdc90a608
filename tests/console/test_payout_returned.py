"""Finance records a payout that a bank returned."""

from collections.abc import Callable

import pytest
from django.test import Client

from billing.models import Case
from kernel.forms import new_form_token
from tests.conftest import Shop
from tests.console.conftest import page_text
from tests.settlement.test_payout_returns import LETTER, paid_out


@pytest.mark.breaks_invariants  # the sandbox bank never sent it back
def test_finance_records_a_returned_payout(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    row = paid_out(power_bank)
    path = f"/ops/do/{row.public_id}/payout_returned"
    assert "¥5.96" in page_text(console_client("finance").get(path))
    assert console_client("support").get(path).status_code == 403
    sent = LETTER | {"note": "商户来电", "token": new_form_token()}
    assert console_client("finance").post(path, sent).status_code == 302
    assert row.history.latest("seq").data["evidence"] == LETTER["evidence"]
    assert Case.objects.get(closed_at=None).payout_id == row.id
    assert console_client("finance").get(path).status_code in (404, 409, 422)
