"""Loops that continue after one item's failure still let the worker's time limit end them (ADR 8)."""

import ast
from pathlib import Path

from tests.architecture import OWN_APPS

ROOT = Path(__file__).resolve().parents[2]
#: Code that no worker's time limit can interrupt, and why.
EXEMPT = {
    "accounts/messaging.py": "a request",
    "accounts/passkeys.py": "a request",
    "billing/callback_views.py": "a request",
    "bnpl/gateway.py": "a request",
    "bnpl/unavailable.py": "a request",
    "merchants/access.py": "a request",
    "portal/services/invitation_messages.py": "a request",
    "merchants/http_client.py": "a thread of the courier, who has no such limit",
    "merchants/resolver.py": "a thread that may be left behind",
    "merchants/services/deliver.py": "the same",
}


def swallows_time_limit(file: Path) -> bool:
    """Whether it catches `Exception` somewhere without letting `SoftTimeLimitExceeded` through first."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        caught = [getattr(one.type, "id", "") for one in node.handlers] if isinstance(node, ast.Try) else []
        if "Exception" in caught and "SoftTimeLimitExceeded" not in caught[: caught.index("Exception")]:
            return True
    return False


def test_no_loop_swallows_the_soft_time_limit() -> None:
    files = [path for name in OWN_APPS for path in (ROOT / name).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in files if swallows_time_limit(path)}
    assert found <= set(EXEMPT)
