"""Colleagues at one thing at once: one of them has it, and nobody is asked a fourth time however many dial."""

from functools import partial

import pytest

from accounts.contacts import Made
from accounts.models import Contact
from billing.models import Case
from billing.services import cases
from kernel.actor import Actor
from ledger.models import Posting
from office.models import Handling, HandlingNote
from office.queues import QUEUES
from office.refusals import MayNotBeAsked
from office.services import handling
from office.services.contacting import log_contact
from orders import services as orders
from tests.conftest import BY, NOON, Shop
from tests.office.waiting import case_at, colleague, late_order, problem_with
from tests.races.ground import rounds
from tests.threads import at_once, refusals

pytestmark = pytest.mark.django_db(transaction=True)
PROBLEMS = QUEUES["problem"]
CALL = Made(way="call", outcome="not_reached", note="无人接听")


def test_of_two_who_take_the_same_one_has_it_and_the_other_is_told_who(power_bank: Shop) -> None:
    mei, lin = colleague("support"), colleague("collections")
    for _number in rounds("two take the same"):
        row = problem_with(power_bank)
        outcomes = at_once(*[partial(handling.take, PROBLEMS, row.id, who, at=NOON) for who in (mei, lin)])
        assert refusals(outcomes) == ["handled_by"]
        hand = Handling.objects.get(about=row.id)
        assert hand.user in {mei, lin}
        assert HandlingNote.objects.filter(handling=hand).count() == 1
        (told,) = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert str(hand.user) in str(told)


def test_of_two_who_hand_it_on_the_second_overrules_nobody_unknowingly(power_bank: Shop) -> None:
    mei, lin, boss = colleague("support"), colleague("collections"), Actor.staff(colleague("supervisor").pk)
    for _number in rounds("two hand the same on"):
        row = problem_with(power_bank)
        hands = [partial(handling.hand, PROBLEMS, row.id, to, "", seen=None, by=boss, at=NOON) for to in (mei, lin)]
        assert refusals(at_once(*hands)) == ["handled_by"]
        assert HandlingNote.objects.filter(handling__about=row.id).count() == 1


def test_two_contacts_at_the_limit_are_one(power_bank: Shop) -> None:
    for _number in rounds("two ask for the third time"):
        order = late_order(power_bank)
        for _earlier in range(2):
            log_contact(order.person_id, CALL, by=BY, at=NOON)
        ask = partial(log_contact, order.person_id, CALL, by=BY, at=NOON)
        assert refusals(at_once(ask, ask, ask)) == ["asked_enough"] * 2
        assert Contact.objects.filter(person=order.person_id).count() == 3


def test_a_contact_and_a_stopped_clock_come_one_after_the_other(power_bank: Shop) -> None:
    for _number in rounds("asked while the clock is stopped"):
        order = late_order(power_bank)
        ask = partial(log_contact, order.person_id, CALL, by=BY, at=NOON)
        stop = partial(orders.pause_order, order.id, "hardship", by=BY, at=NOON)
        assert refusals(at_once(ask, stop)) in ([], ["may_not_be_asked"])
        with pytest.raises(MayNotBeAsked):
            log_contact(order.person_id, CALL, by=BY, at=NOON)


def test_a_case_that_two_close_at_once_is_booked_once(power_bank: Shop) -> None:
    for number in rounds("two close the same case"):
        case = case_at(power_bank, f"{number + 7}")
        close = [partial(cases.close_case, case.id, end, "x", by=BY, at=NOON) for end in ("platform", "returned")]
        assert refusals(at_once(*close)) == ["case_closed"]
        assert Posting.objects.filter(cause_id=case.id, kind="case_closed").count() == 1
        assert Case.objects.get(pk=case.id).closed_at == NOON
