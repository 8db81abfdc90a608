"""A channel transaction in suspense cannot also be recorded by hand as a deduction or a chargeback."""

from datetime import timedelta
from uuid import UUID

import pytest

from billing.channels import Succeeded, Unknown
from billing.models import Case, Deduction, RefundPart
from billing.refusals import TransactionUsed
from billing.services import cases
from billing.services.deduct import deduct_due
from billing.services.manual_resolution import resolve_unknown
from billing.services.movements import MovementReport
from billing.services.refund_outcomes import REFUND_PARTS
from kernel.actor import Actor
from tests.billing.helpers import balances, issue_refund, latest_deduction_of, paid_order
from tests.billing.statements import STRAY, import_file, statement_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.breaks_invariants  # the bank never said so
BOTH = Actor.staff(UUID(int=1)).approved_by(Actor.staff(UUID(int=2)))
LATER = NOON + timedelta(days=4)


def unknown_deduction(shop: Shop) -> Deduction:
    order = make_due_order(shop, make_person(shop, "timeout_then_not_paid"), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    return latest_deduction_of(order)


def test_suspense_transaction_cannot_be_recorded_as_a_deduction(power_bank: Shop) -> None:
    made, other = unknown_deduction(power_bank), unknown_deduction(power_bank)
    import_file(power_bank, statement_of([STRAY | {"number": made.number, "transaction": "t", "amount": 599}]))
    assert (Case.objects.get().kind, balances(power_bank)["suspense"]) == ("wrong_amount", 599)
    for row in (made, other):
        with assert_unchanged(), pytest.raises(TransactionUsed):
            resolve_unknown(row.id, txn="t", evidence="x", by=BOTH, at=LATER)
    assert resolve_unknown(other.id, txn="u", evidence="x", by=BOTH, at=LATER).state == "succeeded"


def test_wrong_amount_transaction_cannot_be_recorded_as_a_refund(power_bank: Shop) -> None:
    issue_refund(paid_order(power_bank, behaviour="timeout_then_not_paid"), "2")
    part = RefundPart.objects.get()
    for answer, days in ((Succeeded("t", yuan("1")), 0), (Unknown("timeout"), 0), (Unknown("timeout"), 4)):
        REFUND_PARTS.settle_all([MovementReport(part.id, answer, "query")], by=BY, at=NOON + timedelta(days=days))
    case = Case.objects.get(kind="unknown_too_long")
    with assert_unchanged(), pytest.raises(TransactionUsed):
        cases.record_movement_outcome(case.id, txn="t", evidence="x", by=BOTH, at=LATER)
