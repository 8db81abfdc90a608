"""When a worker's time is up its work ends: no loop that forgives trouble with one of many forgives that (ADR 8)."""

import ast
from pathlib import Path

from tests.architecture import HOUSE

ROOT = Path(__file__).resolve().parents[2]
#: Where no worker's time runs out, and why.
ELSEWHERE = {
    "accounts/notices.py": "a request",
    "accounts/passkeys.py": "a request",
    "billing/callbacks.py": "a request",
    "bnpl/front.py": "a request",
    "merchants/access.py": "a request",
    "portal/services/sending.py": "a request",
    "merchants/client.py": "a thread of the courier, who has no such limit",
    "merchants/resolver.py": "a thread that may be left behind",
    "merchants/services/deliver.py": "the same",
}


def forgiving(file: Path) -> bool:
    """Whether somewhere in it everything is forgiven, and a time that is up is not let through first."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        caught = [getattr(one.type, "id", "") for one in node.handlers] if isinstance(node, ast.Try) else []
        if "Exception" in caught and "TimeIsUp" not in caught[: caught.index("Exception")]:
            return True
    return False


def test_no_loop_goes_on_when_the_workers_time_is_up() -> None:
    files = [path for name in HOUSE for path in (ROOT / name).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in files if forgiving(path)}
    assert found <= set(ELSEWHERE)
