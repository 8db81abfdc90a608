"""A person's stored value: topped up once per reference, taken from once per number, never overdrawn."""

import pytest

from accounts.models import Person
from billing.channels import CHANNELS, Absent, Charge, Declined, Taken
from billing.models import Instrument, Wallet, WalletEntry
from billing.refusals import ReferenceReused, WalletTooLow
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.wallets import take_out, top_up
from ledger import rules as book
from ledger.queries import balance
from tests.billing.bench import balances, owed_of, taken_from
from tests.conftest import BY, NOON, Shop, completed, state_of, yuan
from tests.guards import CHECK, UNIQUE, refused_by
from tests.stillness import nothing_moves
from tests.threads import at_once


@pytest.fixture
def wallet(ada: Person) -> Wallet:
    made = open_wallet(ada, at=NOON)
    top_up(ada.id, yuan("10"), "bank-1", at=NOON)
    made.refresh_from_db()
    return made


def charge(wallet: Wallet, number: str, amount: str) -> object:
    return CHANNELS["wallet"].charge(Charge(number, str(wallet.person_id), yuan(amount), NOON))


def in_book(wallet: Wallet) -> int:
    return balance(book.wallet(wallet.person_id), realm_id=wallet.realm_id, currency="CNY").minor


def test_a_wallet_is_opened_once_and_tried_after_what_was_there(ada: Person) -> None:
    first = open_wallet(ada, at=NOON)
    with nothing_moves():
        assert open_wallet(ada, at=NOON) == first
    channels = Instrument.objects.filter(person=ada).order_by("priority").values_list("channel", flat=True)
    assert list(channels) == ["sandbox", "wallet"]


def test_the_same_reference_counts_once(wallet: Wallet) -> None:
    with nothing_moves():
        top_up(wallet.person_id, yuan("10"), "bank-1", at=NOON)
    assert wallet.balance_minor == in_book(wallet) == 1_000


def test_the_same_number_takes_once_and_says_the_same_again(wallet: Wallet) -> None:
    first = charge(wallet, "n-1", "6")
    with nothing_moves():
        again = charge(wallet, "n-1", "6")

    assert isinstance(first, Taken)
    assert again == first == CHANNELS["wallet"].query("n-1", at=NOON)
    wallet.refresh_from_db()
    assert wallet.balance_minor == in_book(wallet) == 400


def test_a_wallet_pays_to_its_last_cent_and_not_one_more(wallet: Wallet) -> None:
    with nothing_moves():
        assert charge(wallet, "n-1", "10.01") == Declined("insufficient_funds", "soft")
    assert isinstance(charge(wallet, "n-2", "10"), Taken)
    with nothing_moves():
        assert charge(wallet, "n-3", "0.01") == Declined("insufficient_funds", "soft")
        assert CHANNELS["wallet"].query("n-3", at=NOON) == Absent()
    with nothing_moves(), refused_by(CHECK, "a_wallet_is_never_overdrawn"):
        Wallet.objects.update(balance_minor=-1)
    with nothing_moves(), refused_by(UNIQUE, "billing_walletentry_number_key"):
        WalletEntry.objects.create(person_id=wallet.person_id, number="n-2", amount_minor=-1, at=NOON)


def test_someone_without_a_wallet_or_of_another_currency_is_declined(wallet: Wallet) -> None:
    Wallet.objects.update(currency="USD")
    with nothing_moves():
        assert charge(wallet, "n-1", "1") == Declined("insufficient_funds", "soft")


def test_an_order_is_paid_from_the_wallet_and_the_book_shows_it(power_bank: Shop, wallet: Wallet) -> None:
    order = completed(power_bank, wallet.person, yuan("6"))
    instrument = Instrument.objects.get(person=wallet.person, channel="wallet")
    pay_now(order.id, instrument_id=instrument.id, by=BY, at=NOON)

    assert state_of(order) == "deducted"
    assert taken_from(wallet.person) == []
    wallet.refresh_from_db()
    assert wallet.balance_minor == in_book(wallet) == 400
    held = {"clearing:sandbox": 1_000, "wallet": 400, "payable": 596, "fees": 4}
    assert balances(power_bank) == held


def test_the_sweep_takes_from_the_wallet_when_the_card_is_dead(power_bank: Shop, wallet: Wallet) -> None:
    order = completed(power_bank, wallet.person, yuan("10"))
    Instrument.objects.filter(channel="sandbox").update(state="dead")
    deduct_due(power_bank.realm_id, at=NOON)
    assert (state_of(order), owed_of(order).paid_minor) == ("deducted", 1_000)


def test_what_is_in_a_wallet_goes_back_to_its_persons_bank_once_a_reference(wallet: Wallet) -> None:
    entry = take_out(wallet.person_id, yuan("4"), "out 1", at=NOON)
    with nothing_moves():
        assert take_out(wallet.person_id, yuan("4"), "out 1", at=NOON) == entry
        with pytest.raises(ReferenceReused):
            take_out(wallet.person_id, yuan("5"), "out 1", at=NOON)
        with pytest.raises(WalletTooLow):
            take_out(wallet.person_id, yuan("6.01"), "out 2", at=NOON)
    wallet.refresh_from_db()
    assert (wallet.balance_minor, in_book(wallet), entry.amount_minor, entry.kind) == (600, 600, -400, "taken_out")
    take_out(wallet.person_id, yuan("6"), "out 2", at=NOON)
    assert in_book(wallet) == 0


@pytest.mark.django_db(transaction=True)
def test_taking_out_and_paying_at_once_is_one_of_both(wallet: Wallet) -> None:
    def pays() -> object:
        return charge(wallet, "n-1", "6")

    def leaves() -> object:
        return take_out(wallet.person_id, yuan("6"), "out 1", at=NOON)

    paid, left = at_once(pays, leaves)
    assert isinstance(paid, Taken) == isinstance(left, WalletTooLow)
    wallet.refresh_from_db()
    assert wallet.balance_minor == in_book(wallet) == 400


def test_each_movement_is_called_what_it_was(wallet: Wallet) -> None:
    key = wallet.person_id.hex
    kinds = {
        ("top-up x y", 1): "topped_up",
        ("bank-1", 1): "topped_up",
        ("out x y", -1): "taken_out",
        (f"case {key}", 1): "put_right",
        (key, -1): "paid",
        (key, 1): "came_back",
    }
    assert {(number, minor): WalletEntry(number=number, amount_minor=minor).kind for number, minor in kinds} == kinds
