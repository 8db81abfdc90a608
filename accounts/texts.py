"""To which numbers we text, and to how many strangers in an hour: a text costs money, and anybody may type a number.

Whoever has confirmed their number is bounded by it alone. A stranger's number may be anybody's, so all of them together
have one measure (RATE_TEXTS), and the whole house texts to the countries of SMS_COUNTRIES alone.
"""

import structlog
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts import rules
from kernel import rate_limits

log = structlog.get_logger(__name__)
NOT_THERE = _("We cannot send text messages to this country or region.")


def reaches(phone: str) -> bool:
    """Whether we text to where this E.164 number is. Sandboxes' numbers are nowhere, and their texts stay at home."""
    there = tuple(f"+{prefix}" for prefix in settings.SMS_COUNTRIES)
    return not there or rules.is_fictional(phone) or phone.startswith(there)


def room_for_a_stranger() -> bool:
    """Whether one more text may go to somebody we do not know. If not, a line says so."""
    taken = rate_limits.take(rate_limits.rate("texts"), "strangers")
    if not taken.allowed:
        log.warning(
            "texts_to_strangers_stopped", an_hour=taken.rate.quota, next_in_seconds=taken.next_in // rate_limits.SECOND
        )
    return taken.allowed
