"""A restored database does not know what a channel took since: docs/operations.md says in which order to begin."""

import pytest

from billing.channels import bank
from billing.models import Break, Deduction
from billing.services.deduct import deduct_due
from billing.services.outage import apply_outages, begin_outage, end_outage
from kernel.ids import uuid7
from orders import services as orders
from orders.models import Order
from tests.billing.statements import bank_statement, import_file
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, state_of, yuan

pytestmark = pytest.mark.breaks_invariants  # the bank took what our book does not know


def taken_and_forgotten(shop: Shop) -> Order:
    """An order whose debit stands at the bank alone."""
    person = make_person(shop)
    order = make_due_order(shop, person, yuan("6"))
    bank.debit(uuid7().hex, person.instruments.get().token, yuan("6"), at=NOON)
    return order


def times_charged(order: Order) -> int:
    token = order.person.instruments.get().token
    return bank.accounts_of([token])[token].charges


def test_with_its_channel_declared_out_first_nothing_is_taken_twice_while_statements_come(power_bank: Shop) -> None:
    order = taken_and_forgotten(power_bank)
    begin_outage("sandbox", "restored", by=BY, at=NOON)
    apply_outages(real=NOON)
    import_file(power_bank, bank_statement(power_bank))
    deduct_due(power_bank.realm_id, at=NOON)
    assert (times_charged(order), Deduction.objects.count()) == (1, 0)
    assert Break.objects.get().kind == "missing_here"

    orders.mark_paid(order.id, NOON, "the transaction", by=BY, at=NOON)
    end_outage("sandbox", "each is seen to", by=BY, at=NOON)
    apply_outages(real=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    assert (times_charged(order), state_of(order)) == (1, "deducted")


def test_a_statement_alone_keeps_nobody_from_being_charged_again(power_bank: Shop) -> None:
    order = taken_and_forgotten(power_bank)
    import_file(power_bank, bank_statement(power_bank))
    deduct_due(power_bank.realm_id, at=NOON)
    assert times_charged(order) == 2  # why the docs declare the channel out before anything else
