"""The OpenAPI document only gains. An incompatible change needs an entry in the changelog."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.guide.compatibility import find_breaking_changes

ROOT = Path(__file__).resolve().parents[2]
DESCRIBED: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
#: As it was when it was last released; copied from openapi.json with each release.
RELEASED: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.released.json").read_text(encoding="utf-8"))
ORDER = "/v1/orders/{order}"


def announced_changes() -> list[str]:
    """What the changelog calls breaking, line by line."""
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("- breaking: ") for line in lines if line.startswith("- breaking: ")]


def test_breaking_changes_are_in_the_changelog() -> None:
    assert [line for line in find_breaking_changes(RELEASED, DESCRIBED) if line not in announced_changes()] == []


def schema(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda described: dict.__getitem__(described["components"]["schemas"], name)


def remove_operation(new: dict[str, Any]) -> None:
    del new["paths"][ORDER]["get"]


def remove_field(new: dict[str, Any]) -> None:
    del schema("OrderOut")(new)["properties"]["paid"]


def demand_field(new: dict[str, Any]) -> None:
    schema("NewOrder")(new)["required"].append("currency")


def leave_out_field(new: dict[str, Any]) -> None:
    schema("OrderOut")(new)["required"].remove("paid")


def remove_value(new: dict[str, Any]) -> None:
    schema("NewService")(new)["properties"]["mode"]["enum"].remove("dynamic")


def change_kind(new: dict[str, Any]) -> None:
    schema("OrderOut")(new)["properties"]["paid"]["type"] = "string"


def remove_parameter(new: dict[str, Any]) -> None:
    said = new["paths"]["/v1/orders"]["get"]
    said["parameters"] = [each for each in said["parameters"] if each["name"] != "out_order_no"]


def demand_parameter(new: dict[str, Any]) -> None:
    for each in new["paths"]["/v1/orders"]["get"]["parameters"]:
        each["required"] = each["name"] == "cursor"


def remove_answer(new: dict[str, Any]) -> None:
    del new["paths"]["/v1/orders"]["post"]["responses"]["201"]


def change_answer(new: dict[str, Any]) -> None:
    content = new["paths"][ORDER]["get"]["responses"]["200"]["content"]["application/json"]
    content["schema"] = {"$ref": "#/components/schemas/ServiceOut"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (remove_operation, "GET /v1/orders/{order}: gone"),
        (remove_field, "OrderOut.paid: gone"),
        (demand_field, "NewOrder.currency: is demanded"),
        (leave_out_field, "OrderOut.paid: may be absent"),
        (remove_value, "NewService.mode: 'dynamic' is no value any more"),
        (change_kind, "OrderOut.paid: no integer any more"),
        (remove_parameter, "GET /v1/orders: parameter out_order_no gone"),
        (demand_parameter, "GET /v1/orders: parameter cursor is demanded"),
        (remove_answer, "POST /v1/orders: no answer 201 any more"),
        (change_answer, "GET /v1/orders/{order}: answer 200 is ServiceOut instead of OrderOut"),
    ],
)
def test_breaking_changes_are_detected(change: Callable[[dict[str, Any]], None], said: str) -> None:
    new = copy.deepcopy(DESCRIBED)
    change(new)
    assert said in find_breaking_changes(DESCRIBED, new)


def test_additions_are_not_breaking_changes() -> None:
    new = copy.deepcopy(DESCRIBED)
    new["paths"]["/v1/refunds"] = {"get": new["paths"][ORDER]["get"]}
    schema("OrderOut")(new)["properties"]["mood"] = {"type": "string"}
    schema("NewOrder")(new)["properties"]["mood"] = {"type": "string"}
    schema("OrderOut")(new)["required"].append("mood")
    schema("NewService")(new)["properties"]["mode"]["enum"].append("free")
    assert find_breaking_changes(DESCRIBED, new) == []
