"""Pure rules about merchants: onboarding, API keys, late terms, events, webhooks and the URLs they may go to."""

from merchants.rules.api_keys import (
    ALL_SCOPES,
    LIVE_KEYS_MAX,
    Scope,
    can_add_key,
    digest,
    hint,
    is_rotating,
    new_secret,
)
from merchants.rules.late_terms import LateBounds, LateTerms
from merchants.rules.onboarding import CHECKS
from merchants.rules.service_terms import ServiceTerms

__all__ = [
    "ALL_SCOPES",
    "CHECKS",
    "LIVE_KEYS_MAX",
    "LateBounds",
    "LateTerms",
    "Scope",
    "ServiceTerms",
    "can_add_key",
    "digest",
    "hint",
    "is_rotating",
    "new_secret",
]
