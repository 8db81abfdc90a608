"""Somebody leaves for good at the moment at which their bank takes a debit back: nobody who is gone owes anything."""

from functools import partial

import pytest

from billing.channels import bank_returns
from billing.models import Dispute
from billing.services import disputes
from billing.services.callbacks import deliver_callbacks
from bnpl.invariants import violations
from credit.models import Profile
from orders.models import Obligation
from personal.models import Erasure
from personal.services import erase
from tests.billing.bench import deduction_of, paid
from tests.conftest import BY, NOON, Shop
from tests.personal.test_erasure import NOW, THEN
from tests.threads import at_once, halted

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_leaves_while_a_debit_of_theirs_is_taken_back_owes_nothing(power_bank: Shop) -> None:
    order = paid(power_bank)
    bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON)
    erase.ask_erasure(order.person_id, by=BY, at=NOW)
    taken_back = partial(deliver_callbacks, power_bank.realm_id, at=NOON)
    with halted(disputes.orders, "owe_again") as halt:  # they were still there when it was looked
        at_once(taken_back, partial(halt.then, partial(erase.erase_due, at=THEN)))
    taken_back()
    assert Erasure.objects.get().erased_at is not None
    assert Profile.objects.get(pk=order.person_id).frozen_at is not None
    assert (Dispute.objects.get().state, Dispute.objects.get().bearer) == ("lost", "platform")
    assert not Obligation.objects.filter(person_id=order.person_id, state__in=Obligation.OWED).exists()
    assert list(violations()) == []
