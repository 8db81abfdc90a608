"""To whom the money of a case may go, and who may say so."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from billing.channels import Declined, Taken
from billing.models import Case, Payout, RefundPart, Wallet
from billing.planning import Kind
from billing.refusals import NoWallet
from billing.services import cases
from billing.services.movements import MovementReport
from billing.services.settle import Report, settle_all
from billing.services.settle_parts import PARTS
from billing.services.settle_payouts import PAYOUTS
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import SecondNeeded
from personal import rules
from personal.services import erase
from tests.billing.bench import balances, deduction_of, give_back, paid
from tests.conftest import BY, NOON, Shop, yuan
from tests.settlement.bench import MIDNIGHT, day_ends
from tests.stillness import nothing_moves

pytestmark = pytest.mark.breaks_the_house
NOW = datetime.now(UTC)  # noqa: TID251  days of an erasure are days of real time
MEI = Actor.staff(uuid4())


def taken_twice_of_one_who_left(shop: Shop) -> Case:
    order = paid(shop)
    erase.ask_erasure(order.person_id, by=BY, at=NOW)
    assert erase.erase_due(at=NOW + rules.ERASURE_WAITS) == 1
    settle_all([Report(deduction_of(order).id, Taken("second", yuan("6")), "callback")], by=BY, at=NOON)
    return Case.objects.get(kind="taken_twice")


def told_of_refund(shop: Shop, answer: Taken | Declined, behaviour: str = "pays") -> Case:
    give_back(paid(shop, behaviour=behaviour), "2")
    PARTS.settle_all([MovementReport(RefundPart.objects.get().id, answer, "callback")], by=BY, at=NOON)
    return Case.objects.get()


def test_nothing_is_put_into_the_stored_value_of_somebody_who_has_left(power_bank: Shop) -> None:
    case = taken_twice_of_one_who_left(power_bank)
    with nothing_moves(), pytest.raises(NoWallet):
        cases.close_case(case.id, "wallet", "x", by=BY, at=NOON)
    cases.close_case(case.id, "returned", "x", by=BY, at=NOON)


def test_nor_of_somebody_who_leaves_at_that_moment(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    case = taken_twice_of_one_who_left(power_bank)
    monkeypatch.setattr(cases, "refuse_wallet", lambda *_: None)  # it was looked at before
    with nothing_moves(), pytest.raises(NoWallet):
        cases.close_case(case.id, "wallet", "x", by=BY, at=NOON)


def test_whoever_has_no_stored_value_is_given_what_never_went(power_bank: Shop) -> None:
    case = told_of_refund(power_bank, Declined("x", Kind.HARD))
    cases.close_case(case.id, "wallet", "x", by=BY, at=NOON)
    assert case.refund_part is not None
    person = case.refund_part.refund.person
    assert Wallet.objects.get(pk=person.id).balance_minor == 200
    assert person.instruments.filter(channel="wallet", state="active").count() == 1
    assert (balances(power_bank)["clearing:sandbox"], balances(power_bank)["wallet"]) == (600, 200)


def test_a_large_amount_takes_two_where_little_was_asked_for(power_bank: Shop) -> None:
    case = told_of_refund(power_bank, Taken("t-1", yuan("50000")), "timeout_then_paid")
    assert (cases.at_stake(case), cases.needs_second(case)) == (yuan("50000"), True)
    with nothing_moves(), pytest.raises(SecondNeeded):
        cases.close_case(case.id, "returned", "x", by=MEI, at=NOON)
    done = cases.close_case(case.id, "returned", "x", by=MEI.agreed(Actor.staff(uuid4())), at=NOON)
    assert done.at_stake_minor == 5_000_000


def test_much_in_another_currency_takes_two_too(power_bank: Shop) -> None:
    case = told_of_refund(power_bank, Taken("t-1", Money(20_000, "USD")), "timeout_then_paid")
    assert (cases.at_stake(case), cases.needs_second(case)) == (Money(20_000, "USD"), True)


def test_where_less_moved_than_was_asked_for_that_is_at_stake_still(power_bank: Shop) -> None:
    case = told_of_refund(power_bank, Taken("t-1", yuan("0.01")), "timeout_then_paid")
    assert cases.at_stake(case) == yuan("2")


def test_a_large_payout_where_little_was_asked_for_takes_two(power_bank: Shop) -> None:
    paid(power_bank)
    day_ends(power_bank, MIDNIGHT)
    report = MovementReport(Payout.objects.get().id, Taken("p-2", yuan("50000")), "callback")
    PAYOUTS.settle_all([report], by=BY, at=MIDNIGHT)
    case = Case.objects.get()
    assert (cases.at_stake(case), cases.needs_second(case)) == (yuan("50000"), True)
