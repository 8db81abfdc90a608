"""A new row is what Django would have made of it, of every model there is."""

from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.models import signals  # noqa: TID251  it is asked that nobody listens
from django.db.models.expressions import DatabaseDefault

from kernel.models import LIVE, Realm, Row
from merchants.models import Service
from orders.models import Order

ROWS = [model for model in apps.get_models() if issubclass(model, Row)]


def held(row: models.Model) -> dict[str, Any]:
    """What it holds, but for its key, which is another each time, and for what only says that it is new."""
    seen = {name: value for name, value in vars(row).items() if name not in {"_state", row._meta.pk.attname}}
    return {name: type(value) if isinstance(value, DatabaseDefault) else value for name, value in seen.items()}


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model._meta.label_lower)
def test_nothing_given_is_what_django_takes_for_nothing(model: type[models.Model]) -> None:
    slow = model.__new__(model)
    models.Model.__init__(slow)
    quick = model()
    assert held(quick) == held(slow)
    assert (quick._state.adding, quick._state.db) == (True, None)
    for signal in (signals.pre_init, signals.post_init):
        assert not signal.has_listeners(model), "whoever listens would not hear of it"


def test_columns_and_the_rows_they_name_may_be_given() -> None:
    realm, service = Realm(id=LIVE, mode="live"), Service(name="充电宝")
    order = Order(realm=realm, service_id=service.id, title="雨伞", state="open")
    assert (order.realm, order.realm_id, order.service_id) == (realm, LIVE, service.id)
    assert (order.title, order.state, order.version) == ("雨伞", "open", 0)
    assert Order(id=order.id) == order == Order(pk=order.id)
    assert Order().id != Order().id
    assert Order(realm=None).realm_id is None


def test_what_no_column_is_called_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword arguments: 'colour'"):
        Order(colour="red")
    with pytest.raises(ValueError, match='must be a "Realm" instance'):
        Order(realm=7)


def test_a_state_is_moved_by_its_transitions_alone() -> None:
    order = Order(state="open")
    with pytest.raises(AttributeError):
        order.state = "completed"
