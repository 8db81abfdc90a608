"""Code rules, checked on the syntax tree. Each rule is itself tested with a bad and a good example."""

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.architecture import OWN_APPS

ROOT = Path(__file__).resolve().parents[2]
ENTRY_POINTS = {"api", "pages", "admin", "console", "tasks", "callback_views"}
SIGNALS = {"post_save", "pre_save", "post_delete", "m2m_changed", "receiver"}
VAGUE_NAMES = {"utils", "helpers", "util", "helper", "common", "misc"}
FILE_MAX, FUNCTION_MAX = 300, 40
#: Functions that may be longer, up to this length, and why.
LONG_FUNCTIONS = {
    "kernel/guards.py:lifecycle": 63,  # four trigger bodies, which are SQL
    "orders/wire.py:order_out": 42,  # one line a field
}
FILES = sorted(
    path.relative_to(ROOT) for app in OWN_APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts
)


@cache
def tree_of(path: Path) -> ast.Module:
    """The file's syntax tree, parsed once for all rules."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


Rule = Callable[[ast.Module, Path], Iterator[int]]


def imports_inside_functions(tree: ast.Module, _path: Path) -> Iterator[int]:
    for function in functions_of(tree):
        yield from (node.lineno for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom))


def type_checking_edges(tree: ast.Module, _path: Path) -> Iterator[int]:
    yield from (node.lineno for node in ast.walk(tree) if "TYPE_CHECKING" in names_in(node))


def signals(tree: ast.Module, path: Path) -> Iterator[int]:
    """Django signals. Celery's own signals are needed to start a worker, and are allowed in bnpl/celery.py."""
    if path.as_posix() == "bnpl/celery.py":
        return
    for node in ast.walk(tree):
        module = (node.module or "").split(".") if isinstance(node, ast.ImportFrom) else []
        if "signals" in module or SIGNALS & names_in(node):
            yield getattr(node, "lineno", 0)


def save_overrides(tree: ast.Module, _path: Path) -> Iterator[int]:
    for owner in ast.walk(tree):
        if isinstance(owner, ast.ClassDef):
            yield from (
                node.lineno
                for node in owner.body
                if isinstance(node, ast.FunctionDef) and node.name in {"save", "delete"} and is_model(owner)
            )


def relative_imports(tree: ast.Module, _path: Path) -> Iterator[int]:
    yield from (node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level)


def entry_points_imported_elsewhere(tree: ast.Module, path: Path) -> Iterator[int]:
    """Imports of an entry point (views, admin, tasks …) from outside the project package and its own package."""
    if path.parts[0] == "bnpl" or path.name == "urls.py":
        return  # an app's urls.py belongs to the project's URL module
    here = path.parts[1].removesuffix(".py") if len(path.parts) > 1 else ""
    for node in ast.walk(tree):
        for module in imported_modules(node):
            app, _, rest = module.partition(".")
            room = rest.partition(".")[0]
            if app in OWN_APPS and room in ENTRY_POINTS and not (app == path.parts[0] and room == here):
                yield node.lineno if hasattr(node, "lineno") else 0


def long_functions(tree: ast.Module, path: Path) -> Iterator[int]:
    for function in functions_of(tree):
        docstring_lines = (
            (function.body[0].end_lineno or 0) - function.body[0].lineno + 1 if ast.get_docstring(function) else 0
        )
        length = (function.end_lineno or 0) - function.lineno + 1 - docstring_lines
        if length > LONG_FUNCTIONS.get(f"{path.as_posix()}:{function.name}", FUNCTION_MAX):
            yield function.lineno


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def names_in(node: ast.AST) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {alias.name for alias in node.names}
    return {str(getattr(node, "id", "")), str(getattr(node, "attr", ""))}


def imported_modules(node: ast.AST) -> list[str]:
    """The modules an import may mean: `from a import b` may be `a.b`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names if "." not in node.module)]
    return []


def is_model(owner: ast.ClassDef) -> bool:
    """Whether a class looks like a model: by its bases or by a Meta class."""
    bases = {ast.unparse(base).rpartition(".")[2] for base in owner.bases}
    return bool(bases & {"Model", "Identified", "Lifecycle", "History"}) or any(
        isinstance(node, ast.ClassDef) and node.name == "Meta" for node in owner.body
    )


RULES: list[tuple[Rule, str, str]] = [
    (imports_inside_functions, "def f():\n    import os", "import os\ndef f(): ..."),
    (type_checking_edges, "from typing import TYPE_CHECKING", "from typing import Any"),
    (type_checking_edges, "if typing.TYPE_CHECKING: ...", "if typing.CHECKING: ..."),
    (signals, "from django.db.models.signals import pre_init", "from django.db.models import F"),
    (signals, "@receiver(post_save)\ndef f(): ...", "@shared_task\ndef f(): ..."),
    (save_overrides, "class A(models.Model):\n    def save(self): ...", "class A(Form):\n    def save(self): ..."),
    (relative_imports, "from . import x", "from orders import x"),
    (entry_points_imported_elsewhere, "from orders.api import views", "from orders import services"),
    (entry_points_imported_elsewhere, "from billing import tasks", "from billing.services import deduct"),
    (entry_points_imported_elsewhere, "import credit.pages", "import credit.services"),
    (long_functions, "def f():\n" + "    x = 1\n" * 40, "def f():\n" + "    x = 1\n" * 39),
]


@pytest.mark.parametrize(("rule", "bad", "good"), RULES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_rule_reports_the_bad_and_accepts_the_good_example(rule: Rule, bad: str, good: str) -> None:
    path = Path("ledger/services.py")
    assert list(rule(ast.parse(bad), path))
    assert not list(rule(ast.parse(good), path))


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _bad, _good in RULES), ids=lambda rule: rule.__name__)
def test_the_code_follows_the_rule(rule: Rule) -> None:
    assert [f"{path}:{line}" for path in FILES for line in rule(tree_of(path), path)] == []


def test_entry_points_may_be_imported_by_their_package_and_urls() -> None:
    tree = ast.parse("from orders.api.schemas import NewOrder")
    assert not list(entry_points_imported_elsewhere(tree, Path("orders/api/views.py")))
    assert not list(entry_points_imported_elsewhere(tree, Path("bnpl/api_urls.py")))
    assert list(entry_points_imported_elsewhere(tree, Path("orders/pages.py")))


def test_files_are_short_and_none_is_called_utils() -> None:
    lengths = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > FILE_MAX} == {}
    assert [
        path for path in lengths if Path(path).stem in {"utils", "helpers", "util", "helper", "common", "misc"}
    ] == []


def test_files_are_short() -> None:
    tests = [path for path in (ROOT / "tests").rglob("*.py") if "__pycache__" not in path.parts]
    assert {path.name for path in tests if len(path.read_text(encoding="utf-8").splitlines()) > FILE_MAX} == set()


def test_every_app_was_checked() -> None:
    assert {path.parts[0] for path in FILES} == set(OWN_APPS)
