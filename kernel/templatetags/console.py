"""What the console's own pages show of what can be done there: to whoever may."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.safestring import SafeString

from kernel import actor_names, naming
from kernel.admin_site import belongs
from kernel.console_actions import MASKED, SHELVES, VERBS, Desk, Words
from kernel.console_lists import WHOLE

register = template.Library()


@register.simple_tag(takes_context=True)
def shelves(context: Context) -> list[tuple[Words, list[tuple[Desk, str, bool]]]]:
    """The pages at which this colleague may do something, by what they are for: each with its address, and whether
    this page is it or a part of it.
    """
    request = context["request"]
    user = request.user
    here = "" if request.resolver_match.namespaces else request.path  # a table's address may begin as a page's does
    found = []
    for label, several in SHELVES:
        may = [(desk, reverse(desk.address)) for desk in several if belongs(user, desk.groups)]
        found.append((label, [(desk, address, here.startswith(address)) for desk, address in may]))
    return [shelf for shelf in found if shelf[1]]


@register.simple_tag(takes_context=True)
def verbs(context: Context, row: Any) -> list[tuple[str, Any]]:
    """What this colleague may do to the row: each verb's address and label."""
    user = context["request"].user
    there = (v for v in VERBS if isinstance(row, v.model) and v.fits(row) and v.offered(row))
    return [(v.address(row), v.label) for v in there if belongs(user, v.groups)]


@register.filter
def whole(row: Any) -> str:
    """Where all that belongs to the row is shown; empty where there is no such page."""
    name = WHOLE.get(type(row))
    return reverse(name, args=[row.public_id]) if name else ""


@register.simple_tag(takes_context=True)
def unmasked(context: Context, row: Any) -> str:
    """Where this colleague may read what stands masked of the row; empty where they may not, or nothing does."""
    name, groups = MASKED.get(type(row), ("", ()))
    return reverse(name, args=[row.public_id]) if name and belongs(context["request"].user, groups) else ""


@register.filter
def roles(codes: Iterable[str]) -> str:
    """What a colleague is here, in words."""
    return naming.roles(codes)


@register.filter
def in_words(code: str, context: str = naming.VALUE) -> str:
    """A code that a table holds, in words."""
    return naming.value(code, context)


@register.filter
def happened(line: Any) -> Words:
    """What a line of history says has happened."""
    return naming.happened(line)


@register.filter
def stated(row: Any) -> SafeString:
    """The state of a row, as a badge, in the words of its own life."""
    return naming.badge(row.state, row.get_state_display())


@register.filter
def called(by: str, names: Mapping[str, str]) -> str:
    """Who did it, in words; a colleague by the name they sign in with."""
    return actor_names.said(by, names)
