"""Two members of staff approve at once, and a ledger day is closed while others post to it: each thing happens once."""

from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest

from billing.services.deduct import deduct_due
from bnpl.urls import CONSOLE_URLS
from kernel.actor import Actor
from ledger import closing
from ledger.accounts import FEES, Move, clearing, payable
from ledger.models import ClosedDay, Closing, Posting
from ledger.services import JournalEntry, post
from office.models import Proposal
from office.services import proposals
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, yuan
from tests.office.queue_fixtures import staff_user
from tests.races.checks import rounds
from tests.threads import refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)
assert CONSOLE_URLS  # what takes two is registered there
LATE = NOON + timedelta(days=10)
MEI, BOSS = (Actor.staff(uuid4()) for _ in range(2))


def lost(shop: Shop) -> tuple[Order, Proposal]:
    """An overdue debt, and a proposal to write it off."""
    order = make_order(shop, make_agreement(shop, make_person(shop, "hard_decline")))
    orders.complete_order(order.id, orders.CompletionRequest(total=500), by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=LATE, limit=99)
    lin = Actor.staff(staff_user("collections").pk)
    return order, proposals.propose("write_off", order.public_id, {}, "x", by=lin, at=LATE)


def written_off(order: Order) -> int:
    return order.history.filter(kind="written_off").count()


def test_two_who_agree_at_once_do_it_once(power_bank: Shop) -> None:
    for _ in rounds("two agree at once"):
        order, asked = lost(power_bank)
        outcomes = run_concurrently(
            *(partial(proposals.approve, asked.id, "看过了🙂", by=who, at=LATE) for who in (MEI, BOSS))
        )
        assert refusals(outcomes) == ["proposal_decided"]
        assert written_off(order) == 1
        row = Proposal.objects.get(pk=asked.id)
        assert row.decided_by in (str(MEI), str(BOSS))
        assert row.history.filter(kind="approved").get().by == row.decided_by


def test_what_is_taken_back_while_it_is_agreed_to_is_done_whole_or_not_at_all(power_bank: Shop) -> None:
    for _ in rounds("agreed to and taken back"):
        order, asked = lost(power_bank)
        outcomes = run_concurrently(
            partial(proposals.approve, asked.id, "x", by=MEI, at=LATE),
            partial(proposals.withdraw, asked.id, "x", by=Actor.parse(asked.asked_by), at=LATE),
        )
        assert refusals(outcomes) == ["proposal_decided"]
        state = Proposal.objects.get(pk=asked.id).state
        assert (state, written_off(order)) in (("approved", 1), ("withdrawn", 0))


def test_what_is_paid_while_it_is_agreed_to_is_not_given_up_as_well(power_bank: Shop) -> None:
    for _ in rounds("agreed to and paid"):
        order, asked = lost(power_bank)
        outcomes = run_concurrently(
            partial(proposals.approve, asked.id, "x", by=MEI, at=LATE),
            partial(orders.mark_paid, order.id, paid_at=LATE, reference="x", by=BY, at=LATE),
        )
        codes = refusals(outcomes)
        state = Proposal.objects.get(pk=asked.id).state
        assert (state, written_off(order)) in (("approved", 1), ("open", 0)), codes


def booked(shop: Shop) -> None:
    theirs = payable(shop.merchant.id)
    moves = [Move(clearing("sandbox"), theirs, yuan("1")), Move(theirs, FEES, yuan("1"))]
    post([JournalEntry(uuid4(), "collected", moves)], realm_id=shop.realm_id, at=NOON)


@pytest.mark.breaks_invariants
def test_a_day_that_is_shut_while_others_book_on_it_seals_all_that_stands_on_it(power_bank: Shop) -> None:
    shut = partial(closing.close_days, power_bank.realm_id, at=LATE)
    book = partial(booked, power_bank)
    for _ in rounds("a day is shut"):
        booked(power_bank)
        run_concurrently(shut, book, book, shut, book, shut)
    until = Closing.objects.get().closed_until
    closing.close_days(power_bank.realm_id, at=LATE)
    assert all(map(closing.is_intact, ClosedDay.objects.all()))
    sealed = sum(ClosedDay.objects.values_list("postings", flat=True))
    assert sealed == Posting.objects.filter(at__lt=until).count()
    assert Posting.objects.count() % 8 == 0, "four bookings of two postings in each round"
