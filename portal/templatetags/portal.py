"""URLs and labels for templates of the merchant console."""

from typing import Any

from django import template
from django.forms import BoundField
from django.template import Context
from django.utils.safestring import SafeString

from kernel import labels
from portal import labels as portal_labels

register = template.Library()


@register.simple_tag(takes_context=True)
def merchant_url(context: Context, page: str, *args: str) -> str:
    """URL of a page of the current merchant."""
    return str(context["staff"].url(page, *args))


@register.filter
def hidden_initial(field: BoundField) -> SafeString:
    """The hidden initial value of a choice field whose form sends it along; "" for other fields."""
    return field.as_hidden(only_initial=True) if field.field.show_hidden_initial else SafeString()


@register.filter
def badge(state: str) -> SafeString:
    """A state as a coloured badge."""
    return labels.state_badge(state, portal_labels.STATE_LABELS.get(state, state))


@register.filter
def code_label(code: Any, about: str) -> Any:
    """The label of a code from one of the dicts in portal.labels: `{{ line.kind|code_label:"ORDER_EVENT_LABELS" }}`."""
    labels_by_code: dict[str, Any] = getattr(portal_labels, about)
    return labels_by_code.get(str(code), code)


@register.filter
def failure_label(code: str, kind: str) -> Any:
    """Why a deduction failed."""
    return portal_labels.FAILURE_LABELS.get(code) or portal_labels.FAILURE_LABELS.get(kind, code or kind)


@register.filter
def schedule_reason(reason: str) -> Any:
    """Why a deduction is scheduled."""
    return portal_labels.SCHEDULE_REASON_LABELS.get(reason, portal_labels.RETRY_LABEL)
