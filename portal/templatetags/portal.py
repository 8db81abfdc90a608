"""Addresses and words of the console's pages."""

from typing import Any

from django import template
from django.forms import BoundField
from django.template import Context
from django.utils.safestring import SafeString

from kernel import naming
from portal import wording

register = template.Library()


@register.simple_tag(takes_context=True)
def at(context: Context, page: str, *args: str) -> str:
    """A page of this merchant's."""
    return str(context["staff"].url(page, *args))


@register.filter
def before(field: BoundField) -> SafeString:
    """What a field of choices was shown with, where its form carries that along; every other field brings its own."""
    return field.as_hidden(only_initial=True) if field.field.show_hidden_initial else SafeString()


@register.filter
def badge(state: str) -> SafeString:
    """A state, in words and colour."""
    return naming.badge(state, wording.STATES.get(state, state))


@register.filter
def said(code: Any, about: str) -> Any:
    """What a code means, by the list it is in: `{{ line.kind|said:"HAPPENED" }}`."""
    words: dict[str, Any] = getattr(wording, about)
    return words.get(str(code), code)


@register.filter
def failure(code: str, kind: str) -> Any:
    """Why an attempt took nothing."""
    return wording.FAILURES.get(code) or wording.FAILURES.get(kind, code or kind)


@register.filter
def planned(reason: str) -> Any:
    """Why an attempt is to come."""
    return wording.PLANNED.get(reason, wording.AGAIN)
