"""A repeat of what never reached the channel comes late, because nobody worked: the night is still the person's."""

from datetime import timedelta

from billing.services.ask import ask_unknown
from billing.services.deduct import deduct_due
from tests.billing.bench import deduction_of, owed_of, taken_from
from tests.conftest import NOON, Shop, completed, someone, state_of, yuan


def test_a_repeat_that_falls_into_the_night_waits_for_the_morning(power_bank: Shop) -> None:
    evening = NOON + timedelta(hours=9, minutes=30)  # 21:30 where the person lives
    person, realm = someone(power_bank, "timeout_then_not_paid"), power_bank.realm_id
    order = completed(power_bank, person, yuan("6"), at=evening)
    deduct_due(realm, at=evening)
    for seconds in (5, 35):
        ask_unknown(realm, at=evening + timedelta(seconds=seconds))
    assert (deduction_of(order).state, owed_of(order).plan[0]["reason"]) == ("not_sent", "channel_trouble")

    deduct_due(realm, at=evening + timedelta(minutes=40))
    assert (taken_from(person), owed_of(order).collect_at) == ([], NOON + timedelta(hours=19))

    deduct_due(realm, at=NOON + timedelta(hours=19))
    assert (taken_from(person), state_of(order)) == ([yuan("6")], "deducted")
