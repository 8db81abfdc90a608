"""Bad input in the queues, the worklist and a case: refused or harmless, and nothing changes."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import Contact
from kernel.forms import new_form_token
from tests.conftest import Shop
from tests.office.queue_fixtures import open_case, overdue_order, problem_report
from tests.office.test_bad_input import FIELDS, HUGE, ODD
from tests.unchanged import assert_unchanged

#: What a note of something may write, be it nonsense; and that a form was sent.
NOTED = ("office_handling", "office_handlingnote", "kernel_idempotencykey", "django_session")


@pytest.mark.parametrize("value", ODD, ids=lambda value: ascii(value)[:30])
def test_nonsense_hands_nothing_over_closes_no_case_and_asks_nobody(
    value: str, power_bank: Shop, console_client: Callable[..., Client]
) -> None:
    supervisor = console_client("supervisor")
    problem, case, late = problem_report(power_bank), open_case(power_bank), overdue_order(power_bank).person
    given = dict.fromkeys(FIELDS, value)
    item = f"/ops/queues/problem/{problem.public_id}"
    with assert_unchanged(*NOTED[2:]):
        for deed in ("hand", "due", value):
            answer = supervisor.post(item, given | {"deed": deed, "token": new_form_token()})
            assert answer.status_code in (404, 422), deed
        for path in ("/ops/queues/problem/assign", f"/ops/collections/{late.public_id}"):
            assert supervisor.post(path, given | {"token": new_form_token()}).status_code == 422, path
        for row, verb in ((case, "close_case"), (case, "say_movement")):
            answer = supervisor.post(f"/ops/do/{row.public_id}/{verb}", given | {"token": new_form_token()})
            assert answer.status_code in (404, 422), verb
        assert supervisor.post(item, given | {"deed": "take", "token": value}).status_code == 422
    with assert_unchanged(*NOTED):
        answer = supervisor.post(item, given | {"deed": "note", "token": new_form_token()})
        assert answer.status_code in (302, 422)
    assert b"<script>alert" not in supervisor.get(item).content
    asked = {"way": "call", "outcome": "reached", "minutes": "0", "note": value, "token": new_form_token()}
    answer = supervisor.post(f"/ops/collections/{late.public_id}", asked)
    assert answer.status_code in (302, 422)
    assert Contact.objects.count() == (answer.status_code == 302)
    assert b"<script>alert" not in supervisor.get(f"/ops/collections/{late.public_id}").content


def test_ten_megabytes_are_refused(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    supervisor, problem = console_client("supervisor"), problem_report(power_bank)
    late = overdue_order(power_bank).person
    with assert_unchanged("django_session"):
        for path in (
            f"queues/problem/{problem.public_id}",
            "queues/problem/assign",
            f"collections/{late.public_id}",
        ):
            form = {"token": new_form_token(), "note": "🔋" * (HUGE // 4), "deed": "note"}
            assert 400 <= supervisor.post(f"/ops/{path}", form).status_code < 500, path
