"""Passkeys as a browser speaks of them: what it is asked, and whether its answer is right.

allauth judges the answer; a malformed one is a wrong one, whatever in it is malformed.
"""

import json
from collections.abc import Mapping
from typing import Any

import structlog
from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.webauthn.internal import auth
from django.db import DatabaseError

from accounts.models import User

log = structlog.get_logger(__name__)
ANSWER_LENGTH_MAX = 20_000


def creation(user: User) -> str:
    """What a browser is asked for a new passkey, as JSON. The challenge waits in the session."""
    return json.dumps(_plain(auth.begin_registration(user, passwordless=False)))


def request(user: User) -> str:
    """What a browser is asked to show one that is known."""
    return json.dumps(_plain(auth.begin_authentication(user)))


def created(answer: str) -> Mapping[str, Any] | None:
    """The new credential, if the browser's answer is right; the challenge is used up."""
    credential = _read(answer)
    try:
        auth.parse_registration_response(credential)
        auth.complete_registration(credential)
    except DatabaseError:
        raise
    except Exception as wrong:  # noqa: BLE001  a parser fed with nonsense ends in every way there is
        log.info("passkey_not_taken", error=type(wrong).__name__)
        return None
    finally:
        auth.clear_state()
    return credential


def shown(user: User, answer: str) -> Any:
    """The passkey of theirs that was shown; None if the answer is wrong. The challenge is used up.

    Raises:
        ValidationError: there were too many wrong ones lately.
    """
    clear = check_rate_limit(user)
    credential = _read(answer)
    try:
        auth.parse_authentication_response(credential)
        known = auth.complete_authentication(user, credential)
    except DatabaseError:
        raise
    except Exception as wrong:  # noqa: BLE001  a parser fed with nonsense ends in every way there is
        log.info("passkey_not_known", error=type(wrong).__name__)
        return None
    finally:
        auth.clear_state()
    known.user = user
    clear()
    return known


def _read(answer: str) -> dict[str, Any]:
    try:
        read = json.loads(answer) if len(answer) <= ANSWER_LENGTH_MAX else {}
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _plain(options: Any) -> Any:
    """Mappings and sequences of fido2 as what JSON knows."""
    if isinstance(options, Mapping):
        return {key: _plain(value) for key, value in options.items() if value is not None}
    if isinstance(options, list | tuple):
        return [_plain(value) for value in options]
    return options
