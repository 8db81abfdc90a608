"""Deployment check of the console's two-step verification."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as Advice


@register(Tags.security, deploy=True)
def check_second_factor_required(**_about: Any) -> list[CheckMessage]:
    """Warn if staff can sign in to the console with a password alone."""
    if settings.CONSOLE_SECOND_STEP:
        return []
    return [
        Advice(
            "CONSOLE_SECOND_STEP is off: whoever knows a colleague's password may enter the console.",
            hint="Leave it unset, or set it to 1.",
            id="office.W001",
        )
    ]
