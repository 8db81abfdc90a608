"""What the console's pages say of what waits for whoever looks, and of who sees to it."""

from collections.abc import Mapping
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.translation import gettext as _

from billing import case_words
from kernel.actor import Actor
from kernel.admin_site import belongs
from kernel.clock import live_now
from kernel.console_actions import Words
from kernel.maker_checker import MATTERS
from ledger.rules import CLEARING
from ledger.wording import name_of
from office import wording
from office.leading import today_tiles
from office.looks import day_of
from office.queries import proposals, queues
from office.queries.figures import Look
from office.queues import QUEUES
from office.worlds import mode_of

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


@register.filter
def case_in_words(kind: str) -> Words:
    """What has happened, of a kind of case."""
    return case_words.told_of(kind).what


@register.filter
def told(data: Mapping[str, Any], currency: str) -> list[tuple[str, str]]:
    return list(wording.told_of(data, currency))


@register.filter
def meant(code: str, about: str) -> Words:
    """What a code means to a colleague, by the list it is in: `{{ row.reason|meant:"SCORE_MOVES" }}`."""
    words: Mapping[str, Words] = getattr(wording, about)
    return words.get(code, code)


@register.filter
def judged(inputs: Mapping[str, Any], currency: str) -> list[tuple[str, Any]]:
    return list(wording.judged_by(inputs, currency))


@register.simple_tag(takes_context=True)
def yours(context: Context) -> int:
    """How much of what waits this colleague has in hand."""
    return queues.yours(context["request"].user)


@register.simple_tag(takes_context=True)
def waiting(context: Context) -> tuple[str, list[queues.Standing]]:
    """In which world the queues of this colleague are looked at, and how much waits in each that is not empty."""
    user, mode = context["request"].user, mode_of({})
    look = queues.Look(user, live_now(), mode)
    found = [queues.standing(queue, look) for queue in QUEUES.values() if belongs(user, queue.groups)]
    return mode, [one for one in found if one.count]


@register.simple_tag
def today() -> tuple[str, list[tuple[Words, str, str]]]:
    """In which world today is looked at, and its figures: what each is called, the number, and where that leads."""
    day, mode = day_of(live_now()), mode_of({})
    return mode, today_tiles(Look(day, day, mode), day)


@register.simple_tag(takes_context=True)
def handled(context: Context, row: Any) -> tuple[str, Words] | None:
    """Where it is said who sees to the row, and who does: while it waits in a queue of this colleague's."""
    queue = queues.queue_of(row)
    if queue is None or not belongs(context["request"].user, queue.groups):
        return None
    hand = queues.handling_of(queue, row.pk)
    says = _("Handled by %(name)s") % {"name": hand.user} if hand and hand.user else _("Unassigned: claim it")
    return reverse("queue_item", args=[queue.name, row.public_id]), says
