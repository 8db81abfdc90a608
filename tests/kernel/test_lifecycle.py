"""A step is saved on a locked row, together with its line of history, or not at all."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError
from django_fsm import TransitionNotAllowed

from accounts.models import Person
from kernel.lifecycle import record_all
from kernel.refusal import NotFound
from kernel.transactions import in_transaction
from orders import services as orders
from orders.models import Order, OrderEvent
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.unchanged import assert_unchanged


@pytest.mark.django_db(transaction=True)
def test_a_row_cannot_be_locked_outside_a_transaction(power_bank: Shop, ada: Person) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada))

    assert not in_transaction()
    with assert_unchanged(), pytest.raises(TransactionManagementError):
        Order.objects.locked(order.id)
    with transaction.atomic():
        assert in_transaction()
        assert Order.objects.locked(order.id) == order


@pytest.mark.django_db
def test_a_missing_row_is_not_found() -> None:
    with pytest.raises(NotFound):
        Order.objects.locked(uuid4())
    assert Order.objects.locked_all([uuid4()]) == []


def test_rows_are_locked_in_the_order_of_their_keys(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    keys = [make_order(power_bank, agreement, ceiling=100).id for _ in range(5)]

    assert [row.id for row in Order.objects.locked_all([*reversed(keys), uuid4()])] == keys


def test_every_step_has_one_line_with_who_when_and_from_where_to_where(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    orders.reduce_total(order.id, 300, "线坏了", by=BY, at=NOON + timedelta(minutes=1))
    orders.cancel_order(order.id, "坏了", by=BY, at=NOON + timedelta(minutes=2))

    lines = [(line.seq, line.kind, line.source, line.target, line.by) for line in order.history.order_by("seq")]

    who = "system:test"
    assert lines == [
        (1, "opened", "", "open", who),
        (2, "completed", "open", "completed", who),
        (3, "modified", "completed", "completed", who),
        (4, "cancelled", "completed", "cancelled", who),
    ]
    assert [line.at for line in order.history.order_by("seq")][2:] == [
        NOON + timedelta(minutes=1),
        NOON + timedelta(minutes=2),
    ]
    assert Order.objects.get(pk=order.id).version == 4


@pytest.mark.breaks_invariants  # no service would forget the profile
def test_many_rows_take_one_step_each_with_its_own_history_line(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    rows = [make_order(power_bank, agreement, ceiling=100) for _ in range(3)]
    with transaction.atomic():
        locked = Order.objects.locked_all([row.id for row in rows])
        for place, row in enumerate(locked):
            row.cancel(f"reason {place}", at=NOON)
        record_all(locked, "cancelled", by=BY, at=NOON, data=[{"place": place} for place in range(3)])

    found = OrderEvent.objects.filter(kind="cancelled").order_by("subject_id")
    assert [(line.subject_id, line.seq, line.data) for line in found] == [
        (row.id, 2, {"place": place}) for place, row in enumerate(rows)
    ]
    assert set(Order.objects.values_list("state", "version")) == {("cancelled", 2)}


def test_no_rows_take_no_step() -> None:
    assert record_all([], "nothing", by=BY, at=NOON) == []


def test_state_is_set_by_a_transition_and_nothing_else(power_bank: Shop, ada: Person) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada))

    with pytest.raises(AttributeError):
        order.state = Order.State.DEDUCTED
    with pytest.raises(TransitionNotAllowed):
        order.mark_overdue(at=NOON)
    assert order.state == Order.State.OPEN


def test_someone_elses_history_is_not_written(power_bank: Shop) -> None:
    mine = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    other = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    orders.cancel_order(mine.id, "x", by=BY, at=NOON)

    assert [line.seq for line in other.history.all()] == [1]


def test_only_different_values_count_as_changed(power_bank: Shop, ada: Person) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada))
    for row in (Order.objects.get(pk=order.id), Order.objects.defer("metadata", "title").get(pk=order.id)):
        assert row.changed_columns == {"metadata", "title"} & row.get_deferred_fields()
        row.out_order_no, row.items = "在大堂", list(row.items)
        assert row.changed_columns == {"out_order_no"} | ({"metadata", "title"} & row.get_deferred_fields())
