"""What a merchant's affairs go by: keys and scopes, events, webhooks and the addresses they may go to. Pure."""

from merchants.rules.keys import ALL_SCOPES, LIVE_KEYS_MAX, Scope, digest, hint, new_secret

__all__ = ["ALL_SCOPES", "LIVE_KEYS_MAX", "Scope", "digest", "hint", "new_secret"]
