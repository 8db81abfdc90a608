"""Every kind of account event has a label in both languages of the console."""

import ast
from collections.abc import Callable, Iterator

from django.test import Client

from accounts.admin import EVENT_KINDS
from kernel.labels import ACCOUNT, value_label
from tests.architecture.test_translations import ROOT
from tests.console.conftest import console_client, page_text

__all__ = ["console_client"]
#: Where such lines are written.
APPS = ("accounts", "personal", "portal", "office")


def recorded_kinds() -> Iterator[str]:
    """Every kind of account event that the code records."""
    for path in sorted(
        path for app in ("accounts", "personal", "portal", "office") for path in (ROOT / app).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="create", value=made)) if "AccountEvent" in ast.unparse(made):
                    yield from (one.value.value for one in node.keywords if one.arg == "kind" and constant(one.value))
                case ast.Call(func=ast.Name("_record_event"), args=args):
                    yield from (one.value for one in args[:2] if constant(one))
                case ast.Call(
                    func=ast.Attribute(attr="notify_account_change" | "record_person_event")
                    | ast.Name("notify_account_change" | "record_person_event"),
                    args=[_who, kind, *_],
                ):
                    yield from (one.value for one in (kind,) if constant(one))


def constant(one: ast.expr) -> bool:
    return isinstance(one, ast.Constant) and isinstance(one.value, str)


def test_every_kind_that_is_written_has_a_name_and_none_else() -> None:
    assert set(recorded_kinds()) == set(EVENT_KINDS)


def test_the_list_says_it_in_its_readers_language(console_client: Callable[..., Client]) -> None:
    page = page_text(console_client("supervisor").get("/ops/accounts/accountevent/"))
    assert "同事入职" in page
    assert "staff_created" not in page
    assert value_label("staff_created", ACCOUNT) == "同事入职"
