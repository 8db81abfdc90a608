"""Tags and filters of operations console templates: labels, counts of pending work, and item assignees."""

from collections.abc import Mapping
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.translation import gettext as _

from billing import case_labels
from kernel.actor import Actor
from kernel.admin_site import is_in_groups
from kernel.clock import live_now
from kernel.console_actions import StrOrPromise
from kernel.maker_checker import APPROVAL_TYPES
from ledger.account_names import account_name
from ledger.accounts import CLEARING_PREFIX
from office import labels
from office.environments import selected_mode
from office.queries import proposals, queues
from office.queries.reports import ReportFilter
from office.queues import QUEUES
from office.report_forms import console_day
from office.report_links import today_tiles

register = template.Library()


@register.simple_tag(takes_context=True)
def approval_counts(context: Context) -> tuple[int, int]:
    """How many proposals this colleague can decide, and how many of their own were decided but not seen yet."""
    user = context["request"].user
    decidable = {name for name, matter in APPROVAL_TYPES.items() if is_in_groups(user, matter.approvers)}
    return proposals.approval_counts(Actor.staff(user.pk), decidable)


@register.filter
def account_label(code: str) -> StrOrPromise:
    """The name of a ledger account, with the channel of a clearing account."""
    channel = code.removeprefix(CLEARING_PREFIX) if code.startswith(CLEARING_PREFIX) else ""
    return f"{account_name(code)} ({channel})" if channel else account_name(code)


@register.filter
def case_label(kind: str) -> StrOrPromise:
    """The label of a kind of case."""
    return case_labels.label_of_case(kind).title


@register.filter
def history_details(data: Mapping[str, Any], currency: str) -> list[tuple[str, str]]:
    return list(labels.history_details(data, currency))


@register.filter
def staff_label(code: str, about: str) -> StrOrPromise:
    """The label of a code from one of the dicts in office.labels: `{{ row.reason|staff_label:"SCORE_REASONS" }}`."""
    labels_by_code: Mapping[str, StrOrPromise] = getattr(labels, about)
    return labels_by_code.get(code, code)


@register.filter
def decision_inputs(inputs: Mapping[str, Any], currency: str) -> list[tuple[str, Any]]:
    return list(labels.decision_inputs(inputs, currency))


@register.simple_tag(takes_context=True)
def assigned_count(context: Context) -> int:
    """How many open queue items are assigned to this colleague."""
    return queues.count_assigned(context["request"].user)


@register.simple_tag(takes_context=True)
def queue_overview(context: Context) -> tuple[str, list[queues.QueueStats]]:
    """The mode shown (live or test), and the counts of this colleague's non-empty queues."""
    user, mode = context["request"].user, selected_mode({})
    filters = queues.QueueFilter(user, live_now(), mode)
    stats = [queues.queue_stats_for(queue, filters) for queue in QUEUES.values() if is_in_groups(user, queue.groups)]
    return mode, [each for each in stats if each.count]


@register.simple_tag
def today_figures() -> tuple[str, list[tuple[StrOrPromise, str, str]]]:
    """The mode shown (live or test), and today's figures as (label, number, URL)."""
    day, mode = console_day(live_now()), selected_mode({})
    return mode, today_tiles(ReportFilter(day, day, mode), day)


@register.simple_tag(takes_context=True)
def handler_link(context: Context, row: Any) -> tuple[str, StrOrPromise] | None:
    """URL and label of the row's queue item with its assignee; None if it is in no queue this colleague sees."""
    queue = queues.queue_of(row)
    if queue is None or not is_in_groups(context["request"].user, queue.groups):
        return None
    handling = queues.handling_of(queue, row.pk)
    label = (
        _("Handled by %(name)s") % {"name": handling.user} if handling and handling.user else _("Unassigned: claim it")
    )
    return reverse("queue_item", args=[queue.name, row.public_id]), label
