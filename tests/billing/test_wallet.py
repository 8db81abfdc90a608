"""The wallet: top-ups once per reference, charges once per number, never overdrawn."""

import pytest

from accounts.models import Person
from billing.channels import CHANNELS, ChargeRequest, Declined, NumberNotFound, Succeeded
from billing.models import Instrument, Wallet, WalletEntry
from billing.refusals import ReferenceReused, WalletTooLow
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.wallets import top_up, withdraw
from ledger import accounts as book
from ledger.queries import balance
from tests.billing.helpers import balances, bank_debits_of, obligation_of
from tests.conftest import BY, NOON, Shop, make_due_order, state_of, yuan
from tests.db_errors import CHECK, UNIQUE, raises_db_error
from tests.threads import run_concurrently
from tests.unchanged import assert_unchanged


@pytest.fixture
def wallet(ada: Person) -> Wallet:
    made = open_wallet(ada, at=NOON)
    top_up(ada.id, yuan("10"), "bank-1", at=NOON)
    made.refresh_from_db()
    return made


def charge(wallet: Wallet, number: str, amount: str) -> object:
    return CHANNELS["wallet"].charge(ChargeRequest(number, str(wallet.person_id), yuan(amount), NOON))


def ledger_balance(wallet: Wallet) -> int:
    return balance(book.wallet(wallet.person_id), realm_id=wallet.realm_id, currency="CNY").minor


def test_a_wallet_is_opened_once_with_the_lowest_priority(ada: Person) -> None:
    first = open_wallet(ada, at=NOON)
    with assert_unchanged():
        assert open_wallet(ada, at=NOON) == first
    channels = Instrument.objects.filter(person=ada).order_by("priority").values_list("channel", flat=True)
    assert list(channels) == ["sandbox", "wallet"]


def test_the_same_reference_counts_once(wallet: Wallet) -> None:
    with assert_unchanged():
        top_up(wallet.person_id, yuan("10"), "bank-1", at=NOON)
    assert wallet.balance_minor == ledger_balance(wallet) == 1_000


def test_a_repeated_number_charges_once_with_the_same_answer(wallet: Wallet) -> None:
    first = charge(wallet, "n-1", "6")
    with assert_unchanged():
        again = charge(wallet, "n-1", "6")

    assert isinstance(first, Succeeded)
    assert again == first == CHANNELS["wallet"].query("n-1", at=NOON)
    wallet.refresh_from_db()
    assert wallet.balance_minor == ledger_balance(wallet) == 400


def test_a_wallet_cannot_be_overdrawn(wallet: Wallet) -> None:
    with assert_unchanged():
        assert charge(wallet, "n-1", "10.01") == Declined("insufficient_funds", "soft")
    assert isinstance(charge(wallet, "n-2", "10"), Succeeded)
    with assert_unchanged():
        assert charge(wallet, "n-3", "0.01") == Declined("insufficient_funds", "soft")
        assert CHANNELS["wallet"].query("n-3", at=NOON) == NumberNotFound()
    with assert_unchanged(), raises_db_error(CHECK, "a_wallet_is_never_overdrawn"):
        Wallet.objects.update(balance_minor=-1)
    with assert_unchanged(), raises_db_error(UNIQUE, "billing_walletentry_number_key"):
        WalletEntry.objects.create(person_id=wallet.person_id, number="n-2", amount_minor=-1, at=NOON)


def test_without_a_wallet_in_the_currency_it_declines(wallet: Wallet) -> None:
    Wallet.objects.update(currency="USD")
    with assert_unchanged():
        assert charge(wallet, "n-1", "1") == Declined("insufficient_funds", "soft")


def test_an_order_paid_from_the_wallet_is_in_the_ledger(power_bank: Shop, wallet: Wallet) -> None:
    order = make_due_order(power_bank, wallet.person, yuan("6"))
    instrument = Instrument.objects.get(person=wallet.person, channel="wallet")
    pay_now(order.id, instrument_id=instrument.id, by=BY, at=NOON)

    assert state_of(order) == "deducted"
    assert bank_debits_of(wallet.person) == []
    wallet.refresh_from_db()
    assert wallet.balance_minor == ledger_balance(wallet) == 400
    held = {"clearing:sandbox": 1_000, "wallet": 400, "payable": 596, "fees": 4}
    assert balances(power_bank) == held


def test_the_sweep_uses_the_wallet_when_the_card_is_closed(power_bank: Shop, wallet: Wallet) -> None:
    order = make_due_order(power_bank, wallet.person, yuan("10"))
    Instrument.objects.filter(channel="sandbox").update(state="dead")
    deduct_due(power_bank.realm_id, at=NOON)
    assert (state_of(order), obligation_of(order).paid_minor) == ("deducted", 1_000)


def test_a_withdrawal_counts_once_per_reference(wallet: Wallet) -> None:
    entry = withdraw(wallet.person_id, yuan("4"), "out 1", at=NOON)
    with assert_unchanged():
        assert withdraw(wallet.person_id, yuan("4"), "out 1", at=NOON) == entry
        with pytest.raises(ReferenceReused):
            withdraw(wallet.person_id, yuan("5"), "out 1", at=NOON)
        with pytest.raises(WalletTooLow):
            withdraw(wallet.person_id, yuan("6.01"), "out 2", at=NOON)
    wallet.refresh_from_db()
    assert (wallet.balance_minor, ledger_balance(wallet), entry.amount_minor, entry.kind) == (
        600,
        600,
        -400,
        "withdrawn",
    )
    withdraw(wallet.person_id, yuan("6"), "out 2", at=NOON)
    assert ledger_balance(wallet) == 0


@pytest.mark.django_db(transaction=True)
def test_of_a_concurrent_withdrawal_and_payment_one_succeeds(wallet: Wallet) -> None:
    def pays() -> object:
        return charge(wallet, "n-1", "6")

    def leaves() -> object:
        return withdraw(wallet.person_id, yuan("6"), "out 1", at=NOON)

    paid, left = run_concurrently(pays, leaves)
    assert isinstance(paid, Succeeded) == isinstance(left, WalletTooLow)
    wallet.refresh_from_db()
    assert wallet.balance_minor == ledger_balance(wallet) == 400


def test_the_kind_of_an_entry_follows_from_its_number(wallet: Wallet) -> None:
    key = wallet.person_id.hex
    kinds = {
        ("top-up x y", 1): "topped_up",
        ("bank-1", 1): "topped_up",
        ("out x y", -1): "withdrawn",
        (f"case {key}", 1): "corrected",
        (key, -1): "paid",
        (key, 1): "refunded",
    }
    assert {(number, minor): WalletEntry(number=number, amount_minor=minor).kind for number, minor in kinds} == kinds
