"""A movement that succeeded here and is in no file of its channel is missing there."""

from datetime import timedelta
from typing import Any

import pytest

from billing.models import Break, Deduction, RefundPart
from tests.billing.helpers import issue_refund, latest_deduction_of, paid_order
from tests.billing.statements import DAY, NEXT_DAY, STRAY, import_file, statement_of
from tests.conftest import Shop

A_DAY = timedelta(days=1)


def line_of(made: Deduction | RefundPart, **more: Any) -> dict[str, Any]:
    kind = "debit" if isinstance(made, Deduction) else "refund"
    known = {"number": made.number, "transaction": made.channel_txn, "amount": made.amount_minor, "kind": kind}
    return STRAY | known | more


def breaks() -> list[tuple[str, str]]:
    return list(Break.objects.order_by("id").values_list("kind", "resolution"))


def test_a_pending_debit_that_never_succeeds_is_missing_there(power_bank: Shop) -> None:
    made = latest_deduction_of(paid_order(power_bank))
    import_file(power_bank, statement_of([line_of(made, status="pending")]))
    assert breaks() == [("late", "")]
    import_file(power_bank, statement_of([]), day=DAY + A_DAY, at=NEXT_DAY + A_DAY)
    assert breaks() == [("late", "never_came"), ("missing_there", "")]
    assert {row.deduction_id for row in Break.objects.all()} == {made.id}


@pytest.mark.parametrize("refund", [False, True])
def test_a_pending_debit_that_arrives_next_day_is_no_discrepancy(power_bank: Shop, *, refund: bool) -> None:
    order = paid_order(power_bank)
    made: Deduction | RefundPart = latest_deduction_of(order)
    lines = [line_of(made)]
    if refund:
        issue_refund(order, "2")
        made = RefundPart.objects.get()
    pending = line_of(made, status="pending")
    import_file(power_bank, statement_of([*lines, pending] if refund else [pending]))
    assert breaks() == [("late", "")]
    import_file(power_bank, statement_of([line_of(made)]), day=DAY + A_DAY, at=NEXT_DAY + A_DAY)
    assert breaks() == [("late", "came_later")]


def test_a_line_in_another_sandboxs_file_does_not_count(power_bank: Shop, shop: Shop) -> None:
    made = latest_deduction_of(paid_order(power_bank))
    import_file(shop, statement_of([line_of(made, number="")]))
    assert list(Break.objects.values_list("kind", flat=True)) == ["missing_here"]
    import_file(power_bank, statement_of([]))
    assert Break.objects.get(deduction=made).kind == "missing_there"
