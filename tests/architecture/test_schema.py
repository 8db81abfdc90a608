"""Rules of the schema: foreign keys point to lower layers, amounts are integers, every row has an owner."""

from typing import Any

import pytest
from django.apps import apps
from django.db import models

from kernel import ids

LAYERS = {"kernel": 1, "merchants": 2, "accounts": 2, "ledger": 2, "credit": 3, "orders": 4, "billing": 5}
LAYERS |= {"portal": 6, "personal": 7, "office": 8}
MODELS = [model for model in apps.get_models() if model._meta.app_label in LAYERS]
#: Fields of which any one identifies a row's owner.
OWNERS = {"realm", "merchant", "person", "user", "subject", "scope"}
#: Models whose rows belong to the platform.
PLATFORM_MODELS = {"kernel.Realm", "kernel.LegalMove", "accounts.User", "accounts.LocalMessage"}
PLATFORM_MODELS |= {
    "kernel.AuditLine",
    "kernel.AuditHead",
    "office.Counted",
    "office.Proposal",
    "billing.Callback",
    "billing.Outage",
    "billing.DisputePolicy",
    "billing.RetryPolicy",
    "billing.ReturnPolicy",
    "merchants.LatePolicy",
    "orders.EasePolicy",
    "credit.LimitPolicy",
}
#: Models owned only through their parent row. They would need its owner's key before tables are sharded by person.
OWNED_THROUGH_PARENT = {
    "ledger.ClosedPart",
    "ledger.ClosedBalance",
    "billing.InvoiceLine",
    "orders.Pause",
    "billing.ChannelReport",
    "billing.StatementLine",
}


def label(model: type[models.Model]) -> str:
    return f"{model._meta.app_label}.{model.__name__}"


def foreign_keys(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)]


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_foreign_keys_protect_and_point_down_or_sideways(model: type[models.Model]) -> None:
    for field in foreign_keys(model):
        target = field.related_model._meta.app_label
        assert field.remote_field.on_delete is models.PROTECT, field
        assert target in LAYERS, field
        below, here = LAYERS[target], LAYERS[model._meta.app_label]
        assert below < here or target == model._meta.app_label, field


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_amounts_are_whole_minor_units_and_are_called_so(model: type[models.Model]) -> None:
    for field in model._meta.concrete_fields:
        assert not isinstance(field, models.DecimalField | models.FloatField), field
        if field.name.endswith("_minor"):
            assert isinstance(field, models.BigIntegerField), field
        if isinstance(field, models.BigIntegerField) and not field.primary_key:
            assert field.name.endswith(("_minor", "_units")), field


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_times_dates_and_shares_are_called_by_what_they_are(model: type[models.Model]) -> None:
    for field in model._meta.concrete_fields:
        if isinstance(field, models.DateTimeField):
            assert field.name.endswith(("_at", "_from", "_until")) or field.name in {"at", "last_login"}, field
        elif isinstance(field, models.DateField):
            assert field.name.endswith("_on"), field
        if field.name.endswith("_bps"):
            assert isinstance(field, models.IntegerField), field


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_keys_are_time_ordered(model: type[models.Model]) -> None:
    for field in model._meta.concrete_fields:
        if isinstance(field, models.UUIDField):
            assert field.default in (ids.uuid7, models.NOT_PROVIDED, None), field
        if isinstance(field, models.UUIDField) and field.primary_key:
            assert field.default is ids.uuid7, field


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_every_model_has_an_owner(model: type[models.Model]) -> None:
    names = {field.name for field in model._meta.concrete_fields}
    assert names & OWNERS or label(model) in PLATFORM_MODELS | OWNED_THROUGH_PARENT, sorted(names)


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_constraints_have_names_like_sentences(model: type[models.Model]) -> None:
    for rule in model._meta.constraints:
        assert rule.name.count("_") >= 2, rule.name
        assert rule.name == rule.name.lower()


def test_every_layer_has_models() -> None:
    assert {model._meta.app_label for model in MODELS} == set(LAYERS)
    assert len(MODELS) >= 25
