"""A refund that its channel never sent is paid by hand where no wallet can hold it: said by two, under a reference."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from billing.channels import Declined
from billing.models import Break, Case, Wallet
from billing.planning import Kind
from billing.refusals import CaseUnfit, NothingToPost, NoWallet, ReferenceReused
from billing.services import cases, wallets
from billing.services.breaks import settle_break
from billing.services.movements import MovementReport
from billing.services.settle_parts import PARTS
from bnpl.invariants import violations
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import Invalid, SecondNeeded
from tests.billing.bench import balances, dollars_that_never_went
from tests.billing.statements import NEXT_DAY
from tests.billing.test_cases import OF_THE_BANK
from tests.billing.test_put_right_once import never_went
from tests.conftest import BY, NOON, Shop, make_shop
from tests.console.conftest import at_desk, words_of
from tests.office.seconds import asked, decided
from tests.stillness import nothing_moves

__all__ = ["at_desk"]
pytestmark = pytest.mark.breaks_the_house  # the bank knows nothing of what is said here
LIN = Actor.staff(uuid4())
BOTH = LIN.agreed(Actor.staff(uuid4()))


@pytest.fixture(autouse=True)
def _all_but_the_bank(db: None) -> Iterator[None]:
    yield
    assert {one.name for one in violations()} <= OF_THE_BANK


@pytest.fixture
def dollars(db: None) -> Case:
    return dollars_that_never_went(make_shop("Abroad", currency="USD"))


def test_two_say_under_which_reference_it_was_paid_and_no_wallet_could_have_held_it(dollars: Case) -> None:
    assert cases.at_stake(dollars) == Money(200, "USD")
    with nothing_moves():
        with pytest.raises(NoWallet):
            cases.close_case(dollars.id, "wallet", "x", by=BOTH, at=NOON)
        with pytest.raises(SecondNeeded):
            cases.close_case(dollars.id, "by_hand", "x", paid_as="TT 7788", by=LIN, at=NOON)
        for paid_as in ("", " ", "x" * 61, "a\x00b"):
            with pytest.raises(Invalid):
                cases.close_case(dollars.id, "by_hand", "x", paid_as=paid_as, by=BOTH, at=NOON)
        with pytest.raises(Invalid):
            cases.close_case(dollars.id, "stands", "x", paid_as="TT 7788", by=BOTH, at=NOON)
    done = cases.close_case(dollars.id, "by_hand", "已电汇", paid_as=" TT 7788 ", by=BOTH, at=NOON)
    assert (done.resolution, done.paid_as, done.closed_by) == ("by_hand", "TT 7788", str(BOTH))
    with pytest.raises(IntegrityError, match="what_is_paid_by_hand_is_said_by_two"), transaction.atomic():
        Case.objects.filter(pk=done.pk).update(closed_by=str(LIN))


def test_one_payment_closes_one_case_and_empties_no_wallet(dollars: Case, power_bank: Shop) -> None:
    other, _row = never_went(power_bank)
    cases.close_case(dollars.id, "by_hand", "x", paid_as="TT 7788", by=BOTH, at=NOON)
    with nothing_moves(), pytest.raises(ReferenceReused):
        cases.close_case(other.id, "by_hand", "x", paid_as="TT 7788", by=BOTH, at=NOON)
    with pytest.raises(ReferenceReused), transaction.atomic():
        wallets.refuse_used("TT 7788")


def test_it_was_given_once_whatever_a_statement_or_another_word_of_the_channel_says(power_bank: Shop) -> None:
    case, row = never_went(power_bank)
    settle_break(row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NEXT_DAY)
    before = balances(power_bank)
    assert before["suspense"] == 200
    cases.close_case(case.id, "by_hand", "x", paid_as="TT 1", by=BOTH, at=NEXT_DAY)
    assert "suspense" not in balances(power_bank)
    assert balances(power_bank)["clearing:sandbox"] == before["clearing:sandbox"] - 200, "it has left the house now"
    assert case.refund_part is not None
    assert not Wallet.objects.filter(pk=case.refund_part.refund.person_id, balance_minor__gt=0).exists()
    again = MovementReport(case.refund_part.id, Declined("y", Kind.HARD), "query")
    PARTS.settle_all([again], by=BY, at=NOON)
    for other in Case.objects.filter(kind=case.kind, closed_at=None):
        with nothing_moves(), pytest.raises(CaseUnfit):
            cases.close_case(other.id, "wallet", "x", by=BOTH, at=NEXT_DAY)


def test_what_a_file_misses_is_not_placed_after_it_was_paid(power_bank: Shop) -> None:
    case, row = never_went(power_bank)
    cases.close_case(case.id, "by_hand", "x", paid_as="TT 1", by=BOTH, at=NEXT_DAY)
    with nothing_moves(), pytest.raises(NothingToPost):
        settle_break(row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NEXT_DAY)


def test_the_desk_asks_for_the_reference_and_for_a_second(dollars: Case, at_desk: Callable[..., Client]) -> None:
    finance, boss, path = at_desk("finance"), at_desk("supervisor"), f"/ops/do/{dollars.public_id}/close_case"
    assert "银行流水号" in words_of(finance.get(path))
    row = asked(finance, path, resolution="by_hand", paid_as="TT 9", note="钱包不支持美元，已电汇")
    assert decided(boss, row).status_code == 302
    closed = Case.objects.get()
    assert (closed.resolution, closed.paid_as) == ("by_hand", "TT 9")
    assert "TT 9" in words_of(finance.get(f"/ops/case/{dollars.public_id}"))
