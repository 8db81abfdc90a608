"""Template tags of the console: the menu, row actions and labels, limited to what the user may see."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.safestring import SafeString

from kernel import actor_names, labels
from kernel.admin_site import is_in_groups
from kernel.console_actions import MENU_SECTIONS, ROW_ACTIONS, UNMASK_PAGES, MenuItem, StrOrPromise
from kernel.console_lists import DETAIL_PAGES

register = template.Library()


@register.simple_tag(takes_context=True)
def menu_sections(context: Context) -> list[tuple[StrOrPromise, list[tuple[MenuItem, str, bool]]]]:
    """The menu sections with the pages this colleague may open: each with its URL, and whether it is, or contains, the
    current page.
    """
    request = context["request"]
    user = request.user
    current_path = "" if request.resolver_match.namespaces else request.path  # a table's path may start like a page's
    sections = []
    for label, items in MENU_SECTIONS:
        allowed = [(item, reverse(item.url_name)) for item in items if is_in_groups(user, item.groups)]
        sections.append((label, [(item, url, current_path.startswith(url)) for item, url in allowed]))
    return [(label, items) for label, items in sections if items]


@register.simple_tag(takes_context=True)
def row_actions(context: Context, row: Any) -> list[tuple[str, Any]]:
    """The actions this colleague may perform on the row: each with its URL and label."""
    user = context["request"].user
    available = (v for v in ROW_ACTIONS if isinstance(row, v.model) and v.applies_to(row) and v.is_offered(row))
    return [(v.url(row), v.label) for v in available if is_in_groups(user, v.groups)]


@register.filter
def detail_url(row: Any) -> str:
    """The URL of the row's detail page; empty if there is none."""
    name = DETAIL_PAGES.get(type(row))
    return reverse(name, args=[row.public_id]) if name else ""


@register.simple_tag(takes_context=True)
def unmask_url(context: Context, row: Any) -> str:
    """The URL where this colleague may view the row's masked values; empty if they may not, or there are none."""
    name, groups = UNMASK_PAGES.get(type(row), ("", ()))
    return reverse(name, args=[row.public_id]) if name and is_in_groups(context["request"].user, groups) else ""


@register.filter
def role_labels(codes: Iterable[str]) -> str:
    """The labels of a colleague's roles."""
    return labels.role_labels(codes)


@register.filter
def value_label(code: str, context: str = labels.VALUE) -> str:
    """The label of a code."""
    return labels.value_label(code, context)


@register.filter
def history_label(line: Any) -> StrOrPromise:
    """The label of a line of history."""
    return labels.history_label(line)


@register.filter
def state_badge(row: Any) -> SafeString:
    """The row's state as a coloured badge."""
    return labels.state_badge(row.state, row.get_state_display())


@register.filter
def actor_name(by: str, names: Mapping[str, str]) -> str:
    """The actor in words; a colleague by sign-in name."""
    return actor_names.describe_actor(by, names)
