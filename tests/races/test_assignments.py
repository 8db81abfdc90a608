"""Staff work on the same thing at once: one gets the assignment, and nobody is contacted more often than allowed."""

from functools import partial

import pytest

from accounts.contacts import NewContact
from accounts.models import Contact
from billing.models import Case
from billing.services import cases
from kernel.actor import Actor
from ledger.models import Posting
from office.models import Handling, HandlingNote
from office.queues import QUEUES
from office.refusals import ContactNotAllowed
from office.services import assignments
from office.services.collection_contacts import log_contact
from orders import services as orders
from tests.conftest import BY, NOON, Shop
from tests.office.queue_fixtures import open_case, overdue_order, problem_report, staff_user
from tests.races.checks import rounds
from tests.threads import refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)
PROBLEMS = QUEUES["problem"]
CALL = NewContact(way="call", outcome="not_reached", note="无人接听")


def test_one_of_two_claims_wins_and_the_other_is_told_who(power_bank: Shop) -> None:
    mei, lin = staff_user("support"), staff_user("collections")
    for _number in rounds("two take the same"):
        row = problem_report(power_bank)
        outcomes = run_concurrently(*[partial(assignments.claim, PROBLEMS, row.id, who, at=NOON) for who in (mei, lin)])
        assert refusals(outcomes) == ["handled_by"]
        hand = Handling.objects.get(about=row.id)
        assert hand.user in {mei, lin}
        assert HandlingNote.objects.filter(handling=hand).count() == 1
        (told,) = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert str(hand.user) in str(told)


def test_a_second_handover_is_refused(power_bank: Shop) -> None:
    mei, lin, supervisor = staff_user("support"), staff_user("collections"), Actor.staff(staff_user("supervisor").pk)
    for _number in rounds("two hand the same on"):
        row = problem_report(power_bank)
        hands = [
            partial(assignments.assign, PROBLEMS, row.id, to, "", seen_assignee=None, by=supervisor, at=NOON)
            for to in (mei, lin)
        ]
        assert refusals(run_concurrently(*hands)) == ["handled_by"]
        assert HandlingNote.objects.filter(handling__about=row.id).count() == 1


def test_two_contacts_at_the_limit_are_one(power_bank: Shop) -> None:
    for _number in rounds("two ask for the third time"):
        order = overdue_order(power_bank)
        for _earlier in range(2):
            log_contact(order.person_id, CALL, by=BY, at=NOON)
        ask = partial(log_contact, order.person_id, CALL, by=BY, at=NOON)
        assert refusals(run_concurrently(ask, ask, ask)) == ["asked_enough"] * 2
        assert Contact.objects.filter(person=order.person_id).count() == 3


def test_a_contact_and_a_pause_are_serialized(power_bank: Shop) -> None:
    for _number in rounds("asked while the clock is stopped"):
        order = overdue_order(power_bank)
        ask = partial(log_contact, order.person_id, CALL, by=BY, at=NOON)
        stop = partial(orders.pause_order, order.id, "hardship", by=BY, at=NOON)
        assert refusals(run_concurrently(ask, stop)) in ([], ["may_not_be_asked"])
        with pytest.raises(ContactNotAllowed):
            log_contact(order.person_id, CALL, by=BY, at=NOON)


def test_a_case_that_two_close_at_once_is_booked_once(power_bank: Shop) -> None:
    for number in rounds("two close the same case"):
        case = open_case(power_bank, f"{number + 7}")
        close = [partial(cases.close_case, case.id, end, "x", by=BY, at=NOON) for end in ("platform", "returned")]
        assert refusals(run_concurrently(*close)) == ["case_closed"]
        assert Posting.objects.filter(cause_id=case.id, kind="case_closed").count() == 1
        assert Case.objects.get(pk=case.id).closed_at == NOON
