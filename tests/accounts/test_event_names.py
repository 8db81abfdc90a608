"""What happened to an account is told in words at the console, in both languages."""

import ast
from collections.abc import Callable, Iterator

from django.test import Client

from accounts.admin import HAPPENED
from kernel.naming import ACCOUNT, value
from tests.architecture.test_translations import ROOT
from tests.console.conftest import at_desk, words_of

__all__ = ["at_desk"]
#: Where such lines are written.
APPS = ("accounts", "personal", "portal", "office")


def written() -> Iterator[str]:
    """Each kind of line of an account's history that is written anywhere."""
    for path in sorted(
        path for app in ("accounts", "personal", "portal", "office") for path in (ROOT / app).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="create", value=made)) if "AccountEvent" in ast.unparse(made):
                    yield from (one.value.value for one in node.keywords if one.arg == "kind" and constant(one.value))
                case ast.Call(func=ast.Name("_tell"), args=args) if path.name != "second_factor.py":
                    yield from (one.value for one in args[:2] if constant(one))
                case ast.Call(func=ast.Attribute(attr="tell") | ast.Name("tell"), args=[_who, kind, *_]):
                    yield from (one.value for one in (kind,) if constant(one))


def constant(one: ast.expr) -> bool:
    return isinstance(one, ast.Constant) and isinstance(one.value, str)


def test_every_kind_that_is_written_has_a_name_and_none_else() -> None:
    assert set(written()) == set(HAPPENED)


def test_the_list_says_it_in_its_readers_language(at_desk: Callable[..., Client]) -> None:
    page = words_of(at_desk("supervisor").get("/ops/accounts/accountevent/"))
    assert "同事入职" in page
    assert "staff_created" not in page
    assert value("staff_created", ACCOUNT) == "同事入职"
