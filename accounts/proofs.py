"""A code that was sent somewhere comes back: whoever sits here also reads what arrives there. One a purpose and
session, good once, for ten minutes and a few tries. It waits in the session, which is sealed.
"""

import hmac
import secrets
from collections.abc import MutableMapping
from datetime import datetime, timedelta
from typing import Any

GOOD_FOR = timedelta(minutes=10)
TRIES_MAX = 5
DIGITS = 6


def begin(session: MutableMapping[str, Any], purpose: str, to: str, *, at: datetime) -> str:
    """A new code for this address or number; one before it is worth nothing any more."""
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    until = (at + GOOD_FOR).timestamp()
    session[_key(purpose)] = {"to": to, "code": code, "until": until, "left": TRIES_MAX}
    return code


def waits_for(session: MutableMapping[str, Any], purpose: str, *, at: datetime) -> str | None:
    """Where the code was sent that is waited for."""
    kept = session.get(_key(purpose))
    if kept is None or at.timestamp() > kept["until"]:
        return None
    return str(kept["to"])


def comes_back(session: MutableMapping[str, Any], purpose: str, code: str, *, at: datetime) -> str | None:
    """Where the code had been sent, if this is it; then, and after too many tries, it is used up."""
    to, kept = waits_for(session, purpose, at=at), session.pop(_key(purpose), None)
    if to is None or kept is None:
        return None
    if hmac.compare_digest(kept["code"].encode(), "".join(code.split()).encode()):
        return to
    if kept["left"] > 1:
        session[_key(purpose)] = {**kept, "left": kept["left"] - 1}
    return None


def forget(session: MutableMapping[str, Any], purpose: str) -> None:
    """It is not waited for any more."""
    session.pop(_key(purpose), None)


def _key(purpose: str) -> str:
    return f"proof {purpose}"
