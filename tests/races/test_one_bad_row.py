"""R: several workers collect beside one row that fails. Everybody else is charged once."""

from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from billing.services import attempt_plans
from billing.services.deduct import deduct_due
from orders.models import Obligation
from tests.conftest import NOON, Shop, make_due_order, make_person, state_of, yuan
from tests.races.checks import deducted_from, deductions_of, rounds
from tests.threads import run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


def test_workers_beside_one_bad_row_debit_everybody_else_once(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, bad = attempt_plans._next_request, set[Any]()  # noqa: SLF001  it is the one that fails

    def trip(row: Obligation, *args: Any) -> Any:
        if row.person_id in bad:
            raise ZeroDivisionError("poison")
        return real(row, *args)

    def ring() -> None:
        with suppress(ZeroDivisionError):  # as its ring would, which tells the log
            deduct_due(power_bank.realm_id, at=NOON)

    monkeypatch.setattr(attempt_plans, "_next_request", trip)
    for _ in rounds("collecting beside a bad row"):
        made = [
            make_due_order(power_bank, make_person(power_bank, name=name), yuan("5"))
            for name in ("甲", "乙😀", "丙", "丁")
        ]
        bad.add(made[1].person_id)
        run_concurrently(*[partial(ring)] * 4)
        ring()  # what one of them held while another looked
        assert [state_of(order) for order in made] == ["deducted", "completed", "deducted", "deducted"]
        assert [len(deductions_of(order)) for order in made] == [1, 0, 1, 1]
        assert [deducted_from(order.person) for order in made] == [500, 0, 500, 500]
