"""A delayed request arrives after it was given up: it is refused, and nobody pays twice."""

from datetime import timedelta

from billing.channels import CHANNELS, ChargeRequest, Closed, Declined, Succeeded, bank
from billing.models import ChannelReport, Deduction
from billing.services import pay
from billing.services.deduct import ACTOR, charge, deduct_due, prepare_due
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.instruments import open_wallet
from billing.services.outcome_polling import poll_deductions
from billing.services.wallets import top_up
from orders.models import Order
from tests.billing.helpers import bank_debits_of, latest_deduction_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, state_of, yuan

LEASE = NOON + timedelta(seconds=61)


def delayed_charge(order: Order, shop: Shop) -> list[Deduction]:
    """Deductions that were sent but delayed, and polled until they counted as not sent."""
    sent, _ = prepare_due(shop.realm_id, at=NOON, limit=9)
    for seconds in (61, 92):
        poll_deductions(shop.realm_id, at=NOON + timedelta(seconds=seconds))
    assert latest_deduction_of(order).state == "not_sent"
    return sent


def test_a_delayed_request_is_not_charged_beside_the_next_attempt(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    sent = delayed_charge(order, power_bank)
    assert ChannelReport.objects.latest("id").outcome == "closed"

    deduct_due(power_bank.realm_id, at=NOON + timedelta(minutes=12))
    assert state_of(order) == "deducted"
    charge(sent, by=ACTOR, at=NOON)  # the process wakes up, and sends what it had in hand

    assert bank_debits_of(order.person) == [yuan("6")]
    assert [row.state for row in Deduction.objects.order_by("id")] == ["not_sent", "succeeded"]
    assert not Deduction.objects.filter(cases__isnull=False).exists()


def test_closing_reports_a_request_that_has_arrived(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    (sent,), _ = prepare_due(power_bank.realm_id, at=NOON, limit=9)
    poll_deductions(power_bank.realm_id, at=LEASE)
    CHANNELS["sandbox"].charge(ChargeRequest(sent.number, sent.instrument.token, sent.amount, NOON))

    assert isinstance(bank.close(sent.number, at=LEASE), Succeeded)
    poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=92))

    assert (state_of(order), bank_debits_of(order.person)) == ("deducted", [yuan("6")])


def test_a_wallet_refuses_an_abandoned_number(power_bank: Shop) -> None:
    person = make_person(power_bank)
    order = make_due_order(power_bank, person, yuan("6"))
    open_wallet(person, at=NOON)
    top_up(person.id, yuan("20"), "bank-1", at=NOON)
    person.instruments.filter(channel="sandbox").update(state="removed")
    sent, _ = prepare_due(power_bank.realm_id, at=NOON, limit=9)
    poll_deductions(power_bank.realm_id, at=LEASE)
    assert latest_deduction_of(order).state == "not_sent"

    charge(sent, by=ACTOR, at=NOON)
    pay.pay_now(order.id, by=BY, at=LEASE)

    assert state_of(order) == "deducted"
    person.wallet.refresh_from_db()
    assert person.wallet.balance_minor == 1400


def test_closing_a_number_is_idempotent_and_final(power_bank: Shop) -> None:
    token = make_person(power_bank).instruments.get().token
    assert bank.close("n-1", at=NOON) == bank.close("n-1", at=LEASE) == Closed()
    assert bank.debit("n-1", token, yuan("6"), at=LEASE) == Declined("closed", "technical")
    assert bank.debits_of(token) == []


def test_closing_a_charged_number_opens_a_case(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    settle_all([DeductionReport(latest_deduction_of(order).id, Closed(), "query")], by=ACTOR, at=LEASE)
    assert latest_deduction_of(order).cases.get().kind == "declined_after_success"
