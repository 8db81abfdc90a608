"""Staff join and leave at the same moment: a code works once, and an approver always remains."""

from functools import partial

import pytest

from accounts import colleagues, enrolment, first_password, sessions
from accounts.models import AccountEvent, EnrolmentCode, User
from office.models import Handling
from office.queues import QUEUES
from office.services import assignments
from office.services.offboarding import offboard
from tests.conftest import BY, NOON, Shop
from tests.console.conftest import staff
from tests.office.queue_fixtures import problem_report
from tests.races.checks import rounds
from tests.threads import pause_before, refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORDS = ("my cat walks over the roof at night", "the moon is a large and quiet lamp")


def test_a_code_that_is_shown_twice_at_once_opens_once() -> None:
    for number in rounds("one code, two doors"):
        lin, code = colleagues.add_colleague(f"lin{number}", ["viewer"], by=BY, at=NOON)
        shows = [
            partial(first_password.set_first_password, f"lin{number}", code.text, word, at=NOON) for word in PASSWORDS
        ]
        outcomes = run_concurrently(*shows)
        assert refusals(outcomes) == ["enrolment_code_over"]
        winner = next(place for place, outcome in enumerate(outcomes) if not isinstance(outcome, Exception))
        assert User.objects.get(pk=lin.pk).check_password(PASSWORDS[winner])
        assert EnrolmentCode.objects.filter(user=lin, spent_at__isnull=False).count() == 1
        assert AccountEvent.objects.filter(user=lin, kind="joined").count() == 1


def test_two_supervisors_who_leave_at_once_do_not_both_count_on_the_other() -> None:
    for number in rounds("the last two leave"):
        User.objects.filter(is_staff=True).update(is_active=False)
        pair = [staff("supervisor", name=f"{name}{number}") for name in ("lin", "mei")]
        assert refusals(run_concurrently(*(partial(offboard, one.pk, by=BY, at=NOON) for one in pair))) == [
            "last_supervisor"
        ]
        assert User.objects.filter(is_active=True, groups__name="supervisor").count() == 1


def test_of_one_who_leaves_and_one_who_is_made_something_else_one_stays() -> None:
    for number in rounds("one leaves, one changes"):
        User.objects.filter(is_staff=True).update(is_active=False)
        lin, mei = (staff("supervisor", name=f"{name}{number}") for name in ("lin", "mei"))
        outcomes = run_concurrently(
            partial(offboard, lin.pk, by=BY, at=NOON),
            partial(colleagues.change_roles, mei.pk, ["viewer"], by=BY, at=NOON),
        )
        assert refusals(outcomes) == ["last_supervisor"]
        assert User.objects.filter(is_active=True, groups__name="supervisor").count() == 1


def test_a_code_that_is_shown_while_another_is_given_opens_before_it_or_not_at_all() -> None:
    for number in rounds("shown while another is given"):
        lin, code = colleagues.add_colleague(f"lin{number}", ["viewer"], by=BY, at=NOON)
        join = partial(first_password.set_first_password, f"lin{number}", code.text, PASSWORDS[0], at=NOON)
        codes = refusals(run_concurrently(join, partial(enrolment.issue_code, lin.pk, by=BY, at=NOON)))
        assert codes in ([], ["enrolment_code_over"])
        assert User.objects.get(pk=lin.pk).has_usable_password() is not bool(codes)


def test_a_name_that_is_given_twice_at_once_is_one_persons() -> None:
    for number in rounds("one name, two newcomers"):
        hire = partial(colleagues.add_colleague, f"lin{number}", ["viewer"], by=BY, at=NOON)
        assert refusals(run_concurrently(hire, hire)) == ["username_taken"]
        assert EnrolmentCode.objects.filter(user__username=f"lin{number}").count() == 1


@pytest.mark.parametrize("first", ["joins", "leaves"])
def test_of_joining_and_leaving_the_first_is_done_and_the_second_sees_it(first: str) -> None:
    lin, code = colleagues.add_colleague("lin", ["viewer"], by=BY, at=NOON)
    acts = {
        "joins": partial(first_password.set_first_password, "lin", code.text, PASSWORDS[0], at=NOON),
        "leaves": partial(offboard, lin.pk, by=BY, at=NOON),
    }
    second = acts["leaves" if first == "joins" else "joins"]
    with pause_before(*((enrolment, "use_code") if first == "joins" else (sessions, "end_all_sessions"))) as halt:
        codes = refusals(run_concurrently(acts[first], partial(halt.run_while_paused, second)))
    assert codes == ([] if first == "joins" else ["enrolment_code_over"])
    row = User.objects.get(pk=lin.pk)
    assert (row.is_active, row.has_usable_password()) == (False, False)
    assert AccountEvent.objects.filter(user=lin, kind="joined").exists() is (first == "joins")


def test_whoever_joins_while_they_are_let_go_is_out() -> None:
    for number in rounds("joins while let go"):
        lin, code = colleagues.add_colleague(f"lin{number}", ["viewer"], by=BY, at=NOON)
        join = partial(first_password.set_first_password, f"lin{number}", code.text, PASSWORDS[0], at=NOON)
        codes = refusals(run_concurrently(join, partial(offboard, lin.pk, by=BY, at=NOON)))
        assert codes in ([], ["enrolment_code_over"])
        row = User.objects.get(pk=lin.pk)
        assert (row.is_active, row.has_usable_password()) == (False, False)


def test_what_is_taken_while_they_leave_lies_with_nobody_who_has_left(power_bank: Shop) -> None:
    for number in rounds("takes while leaving"):
        lin, problem = staff("support", name=f"lin{number}"), problem_report(power_bank)
        take = partial(assignments.claim, QUEUES["problem"], problem.id, lin, at=NOON)
        codes = refusals(run_concurrently(take, partial(offboard, lin.pk, by=BY, at=NOON)))
        assert codes in ([], ["unfit_colleague"], ["busy"])
        gone = not User.objects.get(pk=lin.pk).is_active
        held = Handling.objects.filter(about=problem.id, user=lin).exists()
        assert not (gone and held)
        assert gone or codes == ["busy"]
