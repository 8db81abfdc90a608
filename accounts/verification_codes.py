"""Verification codes sent to a phone or email address, stored in the encrypted session.

One code for each purpose and session, valid once, for ten minutes and five attempts.
"""

import hmac
import secrets
from collections.abc import MutableMapping
from datetime import datetime, timedelta
from typing import Any

CODE_LIFETIME = timedelta(minutes=10)
ATTEMPTS_MAX = 5
DIGITS = 6


def issue_code(session: MutableMapping[str, Any], purpose: str, to: str, *, at: datetime) -> str:
    """Create a code for this address or number; an earlier one becomes invalid."""
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    until = (at + CODE_LIFETIME).timestamp()
    session[_session_key(purpose)] = {"to": to, "code": code, "until": until, "left": ATTEMPTS_MAX}
    return code


def pending_recipient(session: MutableMapping[str, Any], purpose: str, *, at: datetime) -> str | None:
    """The address or number of the pending code, or None if there is none."""
    pending = session.get(_session_key(purpose))
    if pending is None or at.timestamp() > pending["until"]:
        return None
    return str(pending["to"])


def verify_code(session: MutableMapping[str, Any], purpose: str, code: str, *, at: datetime) -> str | None:
    """The address or number that the code verifies, or None if it is wrong. Used up by success or too many attempts."""
    to, pending = pending_recipient(session, purpose, at=at), session.pop(_session_key(purpose), None)
    if to is None or pending is None:
        return None
    if hmac.compare_digest(pending["code"].encode(), "".join(code.split()).encode()):
        return to
    if pending["left"] > 1:
        session[_session_key(purpose)] = {**pending, "left": pending["left"] - 1}
    return None


def discard_code(session: MutableMapping[str, Any], purpose: str) -> None:
    """Discard the pending code."""
    session.pop(_session_key(purpose), None)


def _session_key(purpose: str) -> str:
    return f"proof {purpose}"
