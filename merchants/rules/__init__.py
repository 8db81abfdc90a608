"""What a merchant's affairs go by: joining, keys, late terms, events, webhooks and where they may go. Pure."""

from merchants.rules.joining import CHECKS
from merchants.rules.keys import ALL_SCOPES, LIVE_KEYS_MAX, Scope, digest, exchanged, hint, may_add, new_secret
from merchants.rules.late import LateBounds, LateTerms
from merchants.rules.terms import Terms

__all__ = [
    "ALL_SCOPES",
    "CHECKS",
    "LIVE_KEYS_MAX",
    "LateBounds",
    "LateTerms",
    "Scope",
    "Terms",
    "digest",
    "exchanged",
    "hint",
    "may_add",
    "new_secret",
]
