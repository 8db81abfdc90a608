"""Refusals that a page can show are translatable: their details are no plain English strings."""

import ast
from collections.abc import Iterator
from pathlib import Path

from django.utils import translation

import bnpl.urls
from kernel.refusal import Refusal
from orders.models import Order
from orders.refusals import STATE_DETAILS, order_state_refusal
from tests.architecture import OWN_APPS

ROOT = Path(bnpl.urls.__file__).resolve().parent.parent
#: Modules whose details are about requests that programs write, and are shown to nobody else.
PROGRAMS_ONLY = {"merchants/access.py", "billing/services/callbacks.py", "office/queries/queues.py"}


def refusal_names(kind: type[Refusal] = Refusal) -> set[str]:
    return {kind.__name__}.union(*map(refusal_names, kind.__subclasses__()))


def plain_details(source: str, names: set[str]) -> Iterator[tuple[int, str]]:
    """The details of refusals and of their field errors that are untranslatable strings, with their lines."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name not in names | {"FieldError"}:
            continue
        details = node.args[1:2] if name == "FieldError" else node.args[:1]
        details += [keyword.value for keyword in node.keywords if keyword.arg == "detail"]
        for detail in details:
            branches = [detail.body, detail.orelse] if isinstance(detail, ast.IfExp) else [detail]
            yield from ((node.lineno, ast.unparse(part)) for part in branches if is_plain(part))


def is_plain(part: ast.expr) -> bool:
    """Whether it is a string with words in the code itself, or one that is translated too early."""
    if isinstance(part, ast.Call) and getattr(part.func, "id", "") == "str":
        return bool(part.args and isinstance(part.args[0], ast.Call))
    return isinstance(part, ast.JoinedStr | ast.BinOp) or bool(
        isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value
    )


def test_details_of_refusals_that_a_page_can_show_are_translatable() -> None:
    names, found = refusal_names(), []
    for app in set(OWN_APPS) - {"kernel", "bnpl"}:
        for path in sorted((ROOT / app).rglob("*.py")):
            place = str(path.relative_to(ROOT))
            if "/api/" in place or place in PROGRAMS_ONLY:
                continue
            found += [(place, *line) for line in plain_details(path.read_text(encoding="utf-8"), names)]
    assert found == []


def test_plain_details_are_found() -> None:
    source = 'raise Invalid(errors=[FieldError("/a", f"{b}")])\nraise Invalid(_("x") if a else "y")\nraise Invalid("")'
    assert list(plain_details(source, {"Invalid"})) == [(2, "'y'"), (1, "f'{b}'")]


def test_every_state_of_an_order_has_a_sentence_in_both_languages() -> None:
    assert set(STATE_DETAILS) == set(Order.State.values)
    for state in Order.State.values:
        with translation.override("en"):
            assert str(order_state_refusal(state).detail) == f"The order is {state}."
        with translation.override("zh-hans"):
            assert "订单" in str(order_state_refusal(state).detail)
