"""A retry of what never reached the channel runs late: quiet hours still apply."""

from datetime import timedelta

from billing.services.deduct import deduct_due
from billing.services.outcome_polling import poll_deductions
from tests.billing.helpers import bank_debits_of, latest_deduction_of, obligation_of
from tests.conftest import NOON, Shop, make_due_order, make_person, state_of, yuan


def test_a_late_technical_retry_waits_for_the_morning(power_bank: Shop) -> None:
    evening = NOON + timedelta(hours=9, minutes=30)  # 21:30 where the person lives
    person, realm = make_person(power_bank, "timeout_then_not_paid"), power_bank.realm_id
    order = make_due_order(power_bank, person, yuan("6"), at=evening)
    deduct_due(realm, at=evening)
    for seconds in (5, 35):
        poll_deductions(realm, at=evening + timedelta(seconds=seconds))
    assert (latest_deduction_of(order).state, obligation_of(order).plan[0]["reason"]) == ("not_sent", "channel_trouble")

    deduct_due(realm, at=evening + timedelta(minutes=40))
    assert (bank_debits_of(person), obligation_of(order).collect_at) == ([], NOON + timedelta(hours=19))

    deduct_due(realm, at=NOON + timedelta(hours=19))
    assert (bank_debits_of(person), state_of(order)) == ([yuan("6")], "deducted")
