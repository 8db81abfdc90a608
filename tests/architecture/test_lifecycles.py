"""The legal transitions in the code and in the database are the same."""

import pytest
from django.apps import apps
from django_fsm import FSMField

from kernel.lifecycle import Lifecycle
from kernel.models import LegalMove

#: The states a new row may have, which the transitions do not declare.
INITIAL_STATES = {
    "merchants_merchant": {"applied", "active"},
    "orders_order": {"created", "open"},
    "orders_obligation": {"pending", "overdue"},  # a late fee is overdue from its first day
    "billing_deduction": {"prepared"},
    "billing_return": {"open", "advanced"},
    "credit_agreement": {"pending"},
}
LIFECYCLES = {life._meta.db_table: life for life in apps.get_models() if issubclass(life, Lifecycle)}


def state_field(model: type[Lifecycle]) -> FSMField:
    field = model._meta.get_field("state")
    assert isinstance(field, FSMField)
    return field


def moves_of(model: type[Lifecycle]) -> set[tuple[str, str]]:
    """The transitions with a target; one without changes the row but not its state."""
    made = state_field(model).get_all_transitions(model)
    return {(str(move.source), str(move.target)) for move in made if move.target is not None}


def test_initial_states_name_existing_lifecycles() -> None:
    assert set(LIFECYCLES) >= set(INITIAL_STATES)


@pytest.mark.django_db
@pytest.mark.parametrize("table", sorted(LIFECYCLES))
def test_the_database_knows_exactly_the_moves_the_code_makes(table: str) -> None:
    rows = set(LegalMove.objects.filter(lifecycle=table).values_list("source", "target"))

    assert {(source, target) for source, target in rows if source} == moves_of(LIFECYCLES[table])
    begun = {target for source, target in rows if not source}
    assert begun == INITIAL_STATES.get(table, {str(state_field(LIFECYCLES[table]).default)})
    assert str(state_field(LIFECYCLES[table]).default) in begun


@pytest.mark.django_db
def test_no_moves_of_removed_lifecycles_remain() -> None:
    assert set(LegalMove.objects.values_list("lifecycle", flat=True)) == set(LIFECYCLES)


@pytest.mark.parametrize("table", sorted(LIFECYCLES))
def test_states_change_by_transitions_only_and_are_choices(table: str) -> None:
    field = state_field(LIFECYCLES[table])
    states = {str(value) for value, _label in field.choices or ()}

    assert field.protected
    assert {state for move in moves_of(LIFECYCLES[table]) for state in move} <= states
    assert "*" not in states


@pytest.mark.django_db
@pytest.mark.parametrize("table", sorted(LIFECYCLES))
def test_every_state_that_is_named_can_be_reached_or_is_kept_for_later(table: str) -> None:
    later = {"orders_obligation": {"written_off"}, "billing_payout": {"waiting"}}  # a payout is carried on instead
    reached = set(LegalMove.objects.filter(lifecycle=table).values_list("target", flat=True))
    states = {str(value) for value, _label in state_field(LIFECYCLES[table]).choices or ()}
    assert states - reached <= later.get(table, set())
