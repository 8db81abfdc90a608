"""Money that stands in suspense under a channel's transaction is not said to be taken, or gone, under it as well."""

from datetime import timedelta
from uuid import UUID

import pytest

from billing.channels import Lost, Taken
from billing.models import Case, Deduction, RefundPart
from billing.refusals import TransactionUsed
from billing.services import cases
from billing.services.deduct import deduct_due
from billing.services.movements import MovementReport
from billing.services.resolve import resolve_unknown
from billing.services.settle_parts import PARTS
from kernel.actor import Actor
from tests.billing.bench import balances, deduction_of, give_back, paid
from tests.billing.statements import STRAY, taken_in, written
from tests.conftest import BY, NOON, Shop, completed, someone, yuan
from tests.stillness import nothing_moves

pytestmark = pytest.mark.breaks_the_house  # the bank never said so
BOTH = Actor.staff(UUID(int=1)).agreed(Actor.staff(UUID(int=2)))
LATER = NOON + timedelta(days=4)


def lost(shop: Shop) -> Deduction:
    order = completed(shop, someone(shop, "timeout_then_not_paid"), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    return deduction_of(order)


def test_no_debit_is_said_to_be_taken_under_what_stands_in_suspense(power_bank: Shop) -> None:
    made, other = lost(power_bank), lost(power_bank)
    taken_in(power_bank, written([STRAY | {"number": made.number, "transaction": "t", "amount": 599}]))
    assert (Case.objects.get().kind, balances(power_bank)["suspense"]) == ("wrong_amount", 599)
    for row in (made, other):
        with nothing_moves(), pytest.raises(TransactionUsed):
            resolve_unknown(row.id, txn="t", evidence="x", by=BOTH, at=LATER)
    assert resolve_unknown(other.id, txn="u", evidence="x", by=BOTH, at=LATER).state == "succeeded"


def test_nor_a_refund_under_what_went_with_another_amount(power_bank: Shop) -> None:
    give_back(paid(power_bank, behaviour="timeout_then_not_paid"), "2")
    part = RefundPart.objects.get()
    for answer, days in ((Taken("t", yuan("1")), 0), (Lost("timeout"), 0), (Lost("timeout"), 4)):
        PARTS.settle_all([MovementReport(part.id, answer, "query")], by=BY, at=NOON + timedelta(days=days))
    case = Case.objects.get(kind="unknown_too_long")
    with nothing_moves(), pytest.raises(TransactionUsed):
        cases.say_movement(case.id, txn="t", evidence="x", by=BOTH, at=LATER)
