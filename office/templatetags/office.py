"""What the console's first page says of what waits for whoever looks."""

from django import template
from django.template import Context

from kernel.actor import Actor
from kernel.admin_site import belongs
from kernel.desk import Words
from kernel.second import MATTERS
from ledger.rules import CLEARING
from ledger.wording import name_of
from office.queries import proposals

register = template.Library()


@register.simple_tag(takes_context=True)
def second(context: Context) -> tuple[int, int]:
    """How much waits for this colleague to agree to, and how much of what they asked for was decided."""
    user = context["request"].user
    mine = {name for name, matter in MATTERS.items() if belongs(user, matter.deciders)}
    return proposals.news(Actor.staff(user.pk), mine)


@register.filter
def account(code: str) -> Words:
    """What an account of the book is called, and which channel's it is where it is one's."""
    channel = code.removeprefix(CLEARING) if code.startswith(CLEARING) else ""
    return f"{name_of(code)} ({channel})" if channel else name_of(code)
