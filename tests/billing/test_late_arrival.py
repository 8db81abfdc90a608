"""A request held up on its way for minutes arrives when it was long given up: it is refused, and nobody pays twice."""

from datetime import timedelta

from billing.channels import CHANNELS, Charge, Closed, Declined, Taken, bank
from billing.models import ChannelReport, Deduction
from billing.services import pay
from billing.services.ask import ask_unknown
from billing.services.deduct import SWEEP, charge, deduct_due, prepare_due
from billing.services.instruments import open_wallet
from billing.services.settle import Report, settle_all
from billing.services.wallets import top_up
from orders.models import Order
from tests.billing.bench import deduction_of, taken_from
from tests.conftest import BY, NOON, Shop, completed, someone, state_of, yuan

LEASE = NOON + timedelta(seconds=61)


def held_up(order: Order, shop: Shop) -> list[Deduction]:
    """Written down and on its way; meanwhile it was asked about until it was believed never to have arrived."""
    sent, _ = prepare_due(shop.realm_id, at=NOON, limit=9)
    for seconds in (61, 92):
        ask_unknown(shop.realm_id, at=NOON + timedelta(seconds=seconds))
    assert deduction_of(order).state == "not_sent"
    return sent


def test_what_arrives_late_is_not_charged_beside_the_next_attempt(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank), yuan("6"))
    sent = held_up(order, power_bank)
    assert ChannelReport.objects.latest("id").outcome == "closed"

    deduct_due(power_bank.realm_id, at=NOON + timedelta(minutes=12))
    assert state_of(order) == "deducted"
    charge(sent, by=SWEEP, at=NOON)  # the process wakes up, and sends what it had in hand

    assert taken_from(order.person) == [yuan("6")]
    assert [row.state for row in Deduction.objects.order_by("id")] == ["not_sent", "succeeded"]
    assert not Deduction.objects.filter(cases__isnull=False).exists()


def test_what_arrives_before_it_is_closed_is_heard_of_as_it_is_closed(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank), yuan("6"))
    (sent,), _ = prepare_due(power_bank.realm_id, at=NOON, limit=9)
    ask_unknown(power_bank.realm_id, at=LEASE)
    CHANNELS["sandbox"].charge(Charge(sent.number, sent.instrument.token, sent.amount, NOON))

    assert isinstance(bank.close(sent.number, at=LEASE), Taken)
    ask_unknown(power_bank.realm_id, at=NOON + timedelta(seconds=92))

    assert (state_of(order), taken_from(order.person)) == ("deducted", [yuan("6")])


def test_a_wallet_does_not_pay_for_what_was_given_up(power_bank: Shop) -> None:
    person = someone(power_bank)
    order = completed(power_bank, person, yuan("6"))
    open_wallet(person, at=NOON)
    top_up(person.id, yuan("20"), "bank-1", at=NOON)
    person.instruments.filter(channel="sandbox").update(state="removed")
    sent, _ = prepare_due(power_bank.realm_id, at=NOON, limit=9)
    ask_unknown(power_bank.realm_id, at=LEASE)
    assert deduction_of(order).state == "not_sent"

    charge(sent, by=SWEEP, at=NOON)
    pay.pay_now(order.id, by=BY, at=LEASE)

    assert state_of(order) == "deducted"
    person.wallet.refresh_from_db()
    assert person.wallet.balance_minor == 1400


def test_closing_twice_is_once_and_a_closed_number_stays_closed(power_bank: Shop) -> None:
    token = someone(power_bank).instruments.get().token
    assert bank.close("n-1", at=NOON) == bank.close("n-1", at=LEASE) == Closed()
    assert bank.debit("n-1", token, yuan("6"), at=LEASE) == Declined("closed", "technical")
    assert bank.debits_of(token) == []


def test_a_channel_that_closes_what_it_took_is_a_case(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    settle_all([Report(deduction_of(order).id, Closed(), "query")], by=SWEEP, at=LEASE)
    assert deduction_of(order).cases.get().kind == "declined_after_success"
