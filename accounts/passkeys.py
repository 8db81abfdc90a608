"""Registering and verifying passkeys: the options for the browser, and checking its answer.

allauth checks the answer; a malformed answer counts as a wrong one.
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


def registration_options(user: User) -> str:
    """The options for creating a passkey, as JSON. The challenge is stored in the session."""
    return json.dumps(_to_json_value(auth.begin_registration(user, passwordless=False)))


def authentication_options(user: User) -> str:
    """The options for using one of the user's passkeys, as JSON."""
    return json.dumps(_to_json_value(auth.begin_authentication(user)))


def complete_registration(answer: str) -> Mapping[str, Any] | None:
    """The new credential, or None if the browser's answer is wrong. The challenge is used up."""
    credential = _parse_answer(answer)
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


def authenticate(user: User, answer: str) -> Any:
    """The user's passkey that was used, or None if the answer is wrong. The challenge is used up.

    Raises:
        ValidationError: there were too many wrong answers lately.
    """
    clear_rate_limit = check_rate_limit(user)
    credential = _parse_answer(answer)
    try:
        auth.parse_authentication_response(credential)
        passkey = auth.complete_authentication(user, credential)
    except DatabaseError:
        raise
    except Exception as wrong:  # noqa: BLE001  a parser fed with nonsense ends in every way there is
        log.info("passkey_not_known", error=type(wrong).__name__)
        return None
    finally:
        auth.clear_state()
    passkey.user = user
    clear_rate_limit()
    return passkey


def _parse_answer(answer: str) -> dict[str, Any]:
    try:
        read = json.loads(answer) if len(answer) <= ANSWER_LENGTH_MAX else {}
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _to_json_value(options: Any) -> Any:
    """Convert the mappings and sequences of fido2 to JSON types."""
    if isinstance(options, Mapping):
        return {key: _to_json_value(value) for key, value in options.items() if value is not None}
    if isinstance(options, list | tuple):
        return [_to_json_value(value) for value in options]
    return options
