"""What may follow what stands twice, in the transitions and in the database: the same, move by move."""

import pytest
from django.apps import apps
from django_fsm import FSMField

from kernel.lifecycle import Lifecycle
from kernel.models import LegalMove

#: Where a new row may begin. The transitions cannot say it.
BEGINNINGS = {
    "merchants_merchant": {"applied", "active"},
    "orders_order": {"created", "open"},
    "orders_obligation": {"pending", "overdue"},  # a late fee is overdue from its first day
    "billing_deduction": {"prepared"},
    "billing_return": {"open", "advanced"},
    "credit_agreement": {"pending"},
}
LIVES = {life._meta.db_table: life for life in apps.get_models() if issubclass(life, Lifecycle)}


def state_field(life: type[Lifecycle]) -> FSMField:
    field = life._meta.get_field("state")
    assert isinstance(field, FSMField)
    return field


def moves_of(life: type[Lifecycle]) -> set[tuple[str, str]]:
    """The transitions that lead somewhere; one without a target changes the row and not its state."""
    made = state_field(life).get_all_transitions(life)
    return {(str(move.source), str(move.target)) for move in made if move.target is not None}


def test_every_life_has_its_beginnings_named_here() -> None:
    assert set(LIVES) >= set(BEGINNINGS)


@pytest.mark.django_db
@pytest.mark.parametrize("table", sorted(LIVES))
def test_the_database_knows_exactly_the_moves_the_code_makes(table: str) -> None:
    rows = set(LegalMove.objects.filter(lifecycle=table).values_list("source", "target"))

    assert {(source, target) for source, target in rows if source} == moves_of(LIVES[table])
    begun = {target for source, target in rows if not source}
    assert begun == BEGINNINGS.get(table, {str(state_field(LIVES[table]).default)})
    assert str(state_field(LIVES[table]).default) in begun


@pytest.mark.django_db
def test_no_moves_are_left_of_a_life_that_is_no_more() -> None:
    assert set(LegalMove.objects.values_list("lifecycle", flat=True)) == set(LIVES)


@pytest.mark.parametrize("table", sorted(LIVES))
def test_a_state_is_moved_by_transitions_only_and_every_one_of_them_is_a_choice(table: str) -> None:
    field = state_field(LIVES[table])
    states = {str(value) for value, _label in field.choices or ()}

    assert field.protected
    assert {state for move in moves_of(LIVES[table]) for state in move} <= states
    assert "*" not in states


@pytest.mark.django_db
@pytest.mark.parametrize("table", sorted(LIVES))
def test_every_state_that_is_named_can_be_reached_or_is_kept_for_later(table: str) -> None:
    later = {"orders_obligation": {"written_off"}, "billing_payout": {"waiting"}}  # a payout is carried on instead
    reached = set(LegalMove.objects.filter(lifecycle=table).values_list("target", flat=True))
    states = {str(value) for value, _label in state_field(LIVES[table]).choices or ()}
    assert states - reached <= later.get(table, set())
