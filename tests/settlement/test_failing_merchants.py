"""Merchants that cannot be settled, as many as a batch holds, do not keep the others waiting."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from billing.services import invoices, settlements
from kernel.models import LIVE
from merchants import services as merchants
from merchants.models import Merchant
from tests.conftest import BY, NOON
from tests.settlement.helpers import MIDNIGHT

pytestmark = pytest.mark.django_db
LATER = MIDNIGHT + timedelta(days=40)


@pytest.mark.parametrize(
    ("module", "step", "act", "column"),
    [
        (settlements, "settle_next_cutoff", settlements.settle_due, "settles_at"),
        (invoices, "invoice_month", invoices.issue_due_invoices, "invoices_at"),
    ],
)
def test_failing_merchants_do_not_block_the_others(
    module: Any, step: str, act: Callable[..., int], column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        merchants.join_merchant(f"商户 {n}", contact="x", by=BY, at=NOON)
    live = Merchant.objects.filter(realm_id=LIVE)
    if module is invoices:
        live.update(settles_at=LATER + timedelta(days=1))
    first, second, *others = live.order_by(column, "id").values_list("id", flat=True)
    well = getattr(module, step)

    def broken(merchant_id: Any, **how: Any) -> bool:
        if merchant_id in (first, second):
            raise RuntimeError("broken")
        return bool(well(merchant_id, **how))

    monkeypatch.setattr(module, step, broken)
    for n in range(30):
        try:
            act(LIVE, at=LATER + timedelta(seconds=n), limit=2)
        except RuntimeError:
            continue
    waiting = live.filter(**{f"{column}__lte": LATER}).values_list("id", flat=True)
    assert set(waiting) == {first, second}
    assert len(others) == 2
