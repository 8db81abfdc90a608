"""What the console's pages say of what waits for whoever looks, and of who sees to it."""

from typing import Any

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.translation import gettext as _

from kernel.actor import Actor
from kernel.admin_site import belongs
from kernel.desk import Words
from kernel.second import MATTERS
from ledger.rules import CLEARING
from ledger.wording import name_of
from office.queries import proposals, queues

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


@register.simple_tag(takes_context=True)
def yours(context: Context) -> int:
    """How much of what waits this colleague has in hand."""
    return queues.yours(context["request"].user)


@register.simple_tag(takes_context=True)
def handled(context: Context, row: Any) -> tuple[str, Words] | None:
    """Where it is said who sees to the row, and who does: while it waits in a queue of this colleague's."""
    queue = queues.queue_of(row)
    if queue is None or not belongs(context["request"].user, queue.groups):
        return None
    hand = queues.handling_of(queue, row.pk)
    says = _("%(name)s has it") % {"name": hand.user} if hand and hand.user else _("Nobody has it: take it")
    return reverse("queue_item", args=[queue.name, row.public_id]), says
