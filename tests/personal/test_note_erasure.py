"""Notes of staff about a person's cases are erased with the person, whatever queue they belong to."""

from typing import Any
from uuid import UUID

import pytest

from accounts.models import Person
from billing.models import Break, Case, Deduction, Dispute, Return
from bnpl.invariants import find_violations
from kernel.ids import uuid7
from kernel.models import Identified
from office.models import Handling, HandlingNote
from office.queues import QUEUES
from office.services.note_erasure import erase_notes
from orders.models import Concern, Order
from tests.conftest import BY, NOON, Shop
from tests.db_errors import CHECK, NO_RIGHT, RESTRICT, execute_sql, raises_db_error
from tests.office.person_history import person_with_history
from tests.personal.test_erasure import gone, over
from tests.unchanged import assert_unchanged

__all__ = ["over"]
SAID = "说她住院了，电话 13812341234"


def noted(queue: str, about: UUID, text: str = SAID, **more: Any) -> HandlingNote:
    hand = Handling.objects.create(queue=queue, about=about, changed_at=NOON)
    return HandlingNote.objects.create(handling=hand, act="note", text=text, by=str(BY), at=NOON, **more)


def test_a_note_about_somebodys_thing_is_emptied_when_they_leave(over: Order, ada: Person, power_bank: Shop) -> None:
    mine, other = noted("unknown", Deduction.objects.get(person=ada).pk), noted("webhook", uuid7())
    hers = {violation.name for violation in find_violations()}
    gone(ada)
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.text, mine.act, mine.by, other.text) == ("", "note", str(BY), SAID)
    assert hers == {violation.name for violation in find_violations()} == set()


def test_every_queue_knows_its_person(power_bank: Shop) -> None:
    ann, ben = person_with_history(power_bank, 1), person_with_history(power_bank, 1)
    Case.objects.create(
        realm_id=power_bank.realm_id,
        kind="refunded_twice",
        refund_part=ann.refunds.first().parts.first(),
        opened_at=NOON,
        detail={},
    )
    rows: dict[str, type[Identified]] = {name: queue.model for name, queue in QUEUES.items()}
    assert {model for model in rows.values() if model is not Break} >= {Deduction, Case, Dispute, Return, Concern}
    notes = []
    for name, model in rows.items():
        notes += [(noted(name, row.pk), row) for row in model._default_manager.all()]
    erase_notes(ann.pk)
    for note, row in notes:
        note.refresh_from_db()
        assert (note.text == "") is (_person(row) == ann.pk), row
    assert {type(row) for note, row in notes if not note.text} == {Deduction, Case, Dispute, Return, Concern}
    assert ben.pk in {_person(row) for note, row in notes if note.text}


def _person(row: Any) -> UUID | None:
    while row is not None and not hasattr(row, "person_id"):
        row = getattr(row, "deduction", None) or getattr(row, "refund_part", None) or getattr(row, "refund", None)
    return row and row.person_id


def test_the_test_notices_a_missing_hook(over: Order, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personal.erasure_hooks.HOOKS", [])
    noted("unknown", Deduction.objects.get(person=ada).pk)
    gone(ada)
    assert [violation.name for violation in find_violations()] == ["erased_people_have_no_data"]
    erase_notes(ada.pk)


def test_a_note_says_something_and_is_only_ever_emptied(over: Order) -> None:
    about = Deduction.objects.latest("pk").pk
    with raises_db_error(CHECK, "a_note_says_something"):
        noted("unknown", about, "")
    noted("unknown", about)
    with assert_unchanged():
        with raises_db_error(RESTRICT, "append_only"):
            execute_sql("UPDATE office_handlingnote SET text = 'x'")
        with raises_db_error(NO_RIGHT):
            execute_sql("UPDATE office_handlingnote SET act = 'taken'")
