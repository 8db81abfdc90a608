"""What `manage.py check --deploy` says of the console's door."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as Advice


@register(Tags.security, deploy=True)
def second_step(**_about: Any) -> list[CheckMessage]:
    """A colleague's password alone should open nothing."""
    if settings.CONSOLE_SECOND_STEP:
        return []
    return [
        Advice(
            "CONSOLE_SECOND_STEP is off: whoever knows a colleague's password may enter the console.",
            hint="Leave it unset, or set it to 1.",
            id="office.W001",
        )
    ]
