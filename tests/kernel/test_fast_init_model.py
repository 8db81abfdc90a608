"""FastInitModel creates the same instances as Django's own constructor, for every model."""

from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.models import signals  # noqa: TID251  it is asked that nobody listens
from django.db.models.expressions import DatabaseDefault

from kernel.models import LIVE, FastInitModel, Realm
from merchants.models import Service
from orders.models import Order

MODELS = [model for model in apps.get_models() if issubclass(model, FastInitModel)]


def field_values(row: models.Model) -> dict[str, Any]:
    """The instance's attributes without its key, which differs each time, and without `_state`."""
    seen = {name: value for name, value in vars(row).items() if name not in {"_state", row._meta.pk.attname}}
    return {name: type(value) if isinstance(value, DatabaseDefault) else value for name, value in seen.items()}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_defaults_are_those_of_django(model: type[models.Model]) -> None:
    slow = model.__new__(model)
    models.Model.__init__(slow)
    quick = model()
    assert field_values(quick) == field_values(slow)
    assert (quick._state.adding, quick._state.db) == (True, None)
    for signal in (signals.pre_init, signals.post_init):
        assert not signal.has_listeners(model), "whoever listens would not hear of it"


def test_columns_and_related_rows_may_be_passed() -> None:
    realm, service = Realm(id=LIVE, mode="live"), Service(name="充电宝")
    order = Order(realm=realm, service_id=service.id, title="雨伞", state="open")
    assert (order.realm, order.realm_id, order.service_id) == (realm, LIVE, service.id)
    assert (order.title, order.state, order.version) == ("雨伞", "open", 0)
    assert Order(id=order.id) == order == Order(pk=order.id)
    assert Order().id != Order().id
    assert Order(realm=None).realm_id is None


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword arguments: 'colour'"):
        Order(colour="red")
    with pytest.raises(ValueError, match='must be a "Realm" instance'):
        Order(realm=7)


def test_a_state_is_moved_by_its_transitions_alone() -> None:
    order = Order(state="open")
    with pytest.raises(AttributeError):
        order.state = "completed"
