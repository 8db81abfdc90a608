"""Whatever stands in a field of the queues, the worklist and a case: refused or harmless, and nothing moves."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import Contact
from kernel.forms import new_token
from tests.conftest import Shop
from tests.office.test_nonsense import FIELDS, HUGE, ODD
from tests.office.waiting import case_at, late_order, problem_with
from tests.stillness import nothing_moves

#: What a note of something may write, be it nonsense; and that a form was sent.
NOTED = ("office_handling", "office_handlingnote", "kernel_idempotencykey", "django_session")


@pytest.mark.parametrize("value", ODD, ids=lambda value: ascii(value)[:30])
def test_nonsense_hands_nothing_over_closes_no_case_and_asks_nobody(
    value: str, power_bank: Shop, at_desk: Callable[..., Client]
) -> None:
    boss = at_desk("supervisor")
    problem, case, late = problem_with(power_bank), case_at(power_bank), late_order(power_bank).person
    given = dict.fromkeys(FIELDS, value)
    item = f"/ops/queues/problem/{problem.public_id}"
    with nothing_moves(*NOTED[2:]):
        for deed in ("hand", "due", value):
            answer = boss.post(item, given | {"deed": deed, "token": new_token()})
            assert answer.status_code in (404, 422), deed
        for path in ("/ops/queues/problem/assign", f"/ops/collections/{late.public_id}"):
            assert boss.post(path, given | {"token": new_token()}).status_code == 422, path
        for row, verb in ((case, "close_case"), (case, "say_movement")):
            answer = boss.post(f"/ops/do/{row.public_id}/{verb}", given | {"token": new_token()})
            assert answer.status_code in (404, 422), verb
        assert boss.post(item, given | {"deed": "take", "token": value}).status_code == 422
    with nothing_moves(*NOTED):
        answer = boss.post(item, given | {"deed": "note", "token": new_token()})
        assert answer.status_code in (302, 422)
    assert b"<script>alert" not in boss.get(item).content
    asked = {"way": "call", "outcome": "reached", "minutes": "0", "note": value, "token": new_token()}
    answer = boss.post(f"/ops/collections/{late.public_id}", asked)
    assert answer.status_code in (302, 422)
    assert Contact.objects.count() == (answer.status_code == 302)
    assert b"<script>alert" not in boss.get(f"/ops/collections/{late.public_id}").content


def test_ten_megabytes_are_refused(power_bank: Shop, at_desk: Callable[..., Client]) -> None:
    boss, problem = at_desk("supervisor"), problem_with(power_bank)
    late = late_order(power_bank).person
    with nothing_moves("django_session"):
        for path in (
            f"queues/problem/{problem.public_id}",
            "queues/problem/assign",
            f"collections/{late.public_id}",
        ):
            form = {"token": new_token(), "note": "🔋" * (HUGE // 4), "deed": "note"}
            assert 400 <= boss.post(f"/ops/{path}", form).status_code < 500, path
