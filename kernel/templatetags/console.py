"""What the console's own pages show of what can be done there: to whoever may."""

from collections.abc import Mapping
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse

from kernel.admin_site import belongs
from kernel.desk import DESKS, MASKED, VERBS, WHOLE, Desk

register = template.Library()


@register.simple_tag(takes_context=True)
def desks(context: Context) -> list[Desk]:
    """The pages at which this colleague may do something."""
    return [desk for desk in DESKS if belongs(context["request"].user, desk.groups)]


@register.simple_tag(takes_context=True)
def verbs(context: Context, row: Any) -> list[tuple[str, Any]]:
    """What this colleague may do to the row: each verb's address and label."""
    user = context["request"].user
    there = (v for v in VERBS if isinstance(row, v.model) and v.fits(row))
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
def called(by: str, names: Mapping[str, str]) -> str:
    """Who did it, by the name they sign in with; anybody else as written."""
    return names.get(by, by)
