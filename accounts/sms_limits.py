"""Limits for text messages: supported countries (SMS_COUNTRIES), and an hourly quota for unconfirmed numbers.

Text messages cost money, and anybody can enter any number. Confirmed numbers have limits of their own; all unconfirmed
numbers together share one quota (RATE_TEXTS).
"""

import structlog
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts import rules
from kernel import rate_limits

log = structlog.get_logger(__name__)
UNSUPPORTED_COUNTRY = _("We cannot send text messages to this country or region.")


def can_text(phone: str) -> bool:
    """Whether this E.164 number is in a supported country, or belongs to a sandbox person, to whom nothing is sent."""
    prefixes = tuple(f"+{prefix}" for prefix in settings.SMS_COUNTRIES)
    return not prefixes or rules.is_fictional(phone) or phone.startswith(prefixes)


def take_stranger_quota() -> bool:
    """Use one text message of the quota for unconfirmed numbers. Returns whether it was available; logs if not."""
    result = rate_limits.take_token(rate_limits.get_rate("texts"), "strangers")
    if not result.allowed:
        log.warning(
            "texts_to_strangers_stopped",
            an_hour=result.rate.quota,
            next_in_seconds=result.next_in_us // rate_limits.MICROSECONDS,
        )
    return result.allowed
