"""What succeeded here and is told by no file of its channel is missing there, whatever else stands in a file."""

from datetime import timedelta
from typing import Any

import pytest

from billing.models import Break, Deduction, RefundPart
from tests.billing.bench import deduction_of, give_back, paid
from tests.billing.statements import DAY, NEXT_DAY, STRAY, taken_in, written
from tests.conftest import Shop

A_DAY = timedelta(days=1)


def line_of(made: Deduction | RefundPart, **more: Any) -> dict[str, Any]:
    kind = "debit" if isinstance(made, Deduction) else "refund"
    known = {"number": made.number, "transaction": made.channel_txn, "amount": made.amount_minor, "kind": kind}
    return STRAY | known | more


def breaks() -> list[tuple[str, str]]:
    return list(Break.objects.order_by("id").values_list("kind", "resolution"))


def test_a_debit_that_the_channel_calls_pending_is_missing_there_when_it_never_succeeds(power_bank: Shop) -> None:
    made = deduction_of(paid(power_bank))
    taken_in(power_bank, written([line_of(made, status="pending")]))
    assert breaks() == [("late", "")]
    taken_in(power_bank, written([]), day=DAY + A_DAY, at=NEXT_DAY + A_DAY)
    assert breaks() == [("late", "never_came"), ("missing_there", "")]
    assert {row.deduction_id for row in Break.objects.all()} == {made.id}


@pytest.mark.parametrize("refund", [False, True])
def test_what_is_pending_and_comes_the_next_day_is_no_difference(power_bank: Shop, *, refund: bool) -> None:
    order = paid(power_bank)
    made: Deduction | RefundPart = deduction_of(order)
    lines = [line_of(made)]
    if refund:
        give_back(order, "2")
        made = RefundPart.objects.get()
    pending = line_of(made, status="pending")
    taken_in(power_bank, written([*lines, pending] if refund else [pending]))
    assert breaks() == [("late", "")]
    taken_in(power_bank, written([line_of(made)]), day=DAY + A_DAY, at=NEXT_DAY + A_DAY)
    assert breaks() == [("late", "came_later")]


def test_a_line_of_another_sandboxs_file_hides_nothing(power_bank: Shop, shop: Shop) -> None:
    made = deduction_of(paid(power_bank))
    taken_in(shop, written([line_of(made, number="")]))
    assert list(Break.objects.values_list("kind", flat=True)) == ["missing_here"]
    taken_in(power_bank, written([]))
    assert Break.objects.get(deduction=made).kind == "missing_there"
