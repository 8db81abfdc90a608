"""The OpenAPI file matches the code (`make check`), and documents every refusal that a view can raise."""

import ast
import importlib
import inspect
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bnpl.api_urls import V1_ROUTES
from kernel.refusal import Refusal

ROOT = Path(__file__).resolve().parents[2]
DESCRIBED = json.loads((ROOT / "docs" / "openapi.json").read_text())
VIEWS = {f"/v1/{address.replace('<str:', '{').replace('>', '}')}": view for address, view in V1_ROUTES}
#: Operations that also return a file, and its types.
AS_FILES, FILES = {"list_settlement_lines"}, ["text/csv"]
ALWAYS = {"401", "403", "404", "408", "429", "500", "503"}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, said) for path, methods in DESCRIBED["paths"].items() for method, said in methods.items()]


def refusals_in(source: str, names: dict[str, Any]) -> set[type[Refusal]]:
    """Every refusal class that this source raises or answers with."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            found.add(class_of(node.exc, names))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "refused":
            found.add(class_of(node.args[0], names))
    return {item for item in found if item is not None}


def class_of(node: ast.expr, names: dict[str, Any]) -> type[Refusal] | None:
    node = node.func if isinstance(node, ast.Call) else node
    value: Any = None
    if isinstance(node, ast.Name):
        value = names.get(node.id)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        value = getattr(names.get(node.value.id), node.attr, None)
    return value if inspect.isclass(value) and issubclass(value, Refusal) else None


def test_every_address_of_the_api_is_described_and_nothing_else() -> None:
    assert set(DESCRIBED["paths"]) == set(VIEWS)
    for path, view in VIEWS.items():
        handled = {name for name in view.http_method_names if hasattr(view, name)}  # type: ignore[attr-defined]
        assert set(DESCRIBED["paths"][path]) == handled, path


@pytest.mark.parametrize(("path", "method", "said"), operations(), ids=lambda value: str(value)[:40])
def test_every_refusal_raised_in_an_operations_own_method_has_a_documented_status(
    path: str, method: str, said: dict[str, Any]
) -> None:
    view = VIEWS[path]
    module: ModuleType = importlib.import_module(view.__module__)
    source = inspect.getsource(getattr(view, method))
    statuses = {str(refusal.status) for refusal in refusals_in("class X:\n" + source, vars(module))}
    assert statuses <= set(said["responses"])


@pytest.mark.parametrize("name", sorted({view.__module__ for view in VIEWS.values()}))
def test_every_refusal_of_a_view_module_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    documented = {
        status
        for path, view in VIEWS.items()
        if view.__module__ == name
        for said in DESCRIBED["paths"][path].values()
        for status in said["responses"]
    }
    raised = refusals_in(inspect.getsource(module), vars(module))
    assert {str(refusal.status) for refusal in raised} <= documented


@pytest.mark.parametrize(("path", "method", "said"), operations(), ids=lambda value: str(value)[:40])
def test_every_operation_names_itself_its_answers_and_the_refusals_everybody_meets(
    path: str, method: str, said: dict[str, Any]
) -> None:
    assert said["operationId"]
    assert said["summary"]
    assert set(said["responses"]) >= ALWAYS
    assert {"200", "201"} & set(said["responses"])
    for status, answer in said["responses"].items():
        kind = "application/json" if status.startswith("2") else "application/problem+json"
        files = FILES if said["operationId"] in AS_FILES and status == "200" else []
        assert list(answer["content"]) == [kind, *files], (path, method, status)
    if method == "post":
        headers = {each["name"] for each in said["parameters"] if each["in"] == "header"}
        assert "Idempotency-Key" in headers
        assert {"409", "422"} <= set(said["responses"])


def test_a_refusal_is_found_however_it_is_raised() -> None:
    source = "def f(self):\n    raise A('x')\n    raise m.B\n    return self.refused(A(reason=1))\n    raise ValueError"
    one, other = type("A", (Refusal,), {}), type("B", (Refusal,), {})
    module = ModuleType("m")
    module.B = other  # type: ignore[attr-defined]
    assert refusals_in(source, {"A": one, "m": module}) == {one, other}
