"""What the console's first page says of what waits for whoever looks."""

from django import template
from django.template import Context

from kernel.actor import Actor
from kernel.admin_site import belongs
from kernel.second import MATTERS
from office.queries import proposals

register = template.Library()


@register.simple_tag(takes_context=True)
def second(context: Context) -> tuple[int, int]:
    """How much waits for this colleague to agree to, and how much of what they asked for was decided."""
    user = context["request"].user
    mine = {name for name, matter in MATTERS.items() if belongs(user, matter.deciders)}
    return proposals.news(Actor.staff(user.pk), mine)
