"""The console pages /ops/work/ (work in progress, each number linked to its rows) and /ops/system/ (system status)."""

from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from bnpl import system_status
from bnpl.work.gauges import COUNT_MAX, Gauge, State, read_gauges
from bnpl.work.work_kind import Limit, round_age
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, MenuItem, console_page
from kernel.models import LIVE
from kernel.templatetags.formatting import duration

MENU_ITEM = MenuItem(
    "work", _("Work in progress"), _("What is waiting, since when, and what is delayed or stuck."), VIEWERS
)
SYSTEM_MENU_ITEM = MenuItem("system", _("System"), _("Jobs, channels and version: system status"), VIEWERS)
#: Roles that may declare a channel's outage: the system page links them to it.
OUTAGE_ROLES = ("collections", "risk", "supervisor")


@require_safe
@console_page(*VIEWERS)
def work_page(colleague: Colleague) -> HttpResponse:
    """Every gauge, for all roles that may view the rows themselves."""
    gauges = read_gauges(real=colleague.at)
    return colleague.render(
        "ops/work.html",
        MENU_ITEM.label,
        rows=[
            (gauge, changelist_url(gauge, colleague.at), [_format_limit(limit) for limit in gauge.kind.limits])
            for gauge in gauges
        ],
        stuck=sum(gauge.state == State.STUCK for gauge in gauges),
        most=COUNT_MAX,
        now=colleague.at,
    )


@require_safe
@console_page(*VIEWERS)
def system_page(colleague: Colleague) -> HttpResponse:
    """What is late or stuck, each job's last run, each channel with its outage switch, and the versions in use."""
    gauges = read_gauges(real=colleague.at)
    return colleague.render(
        "ops/system.html",
        SYSTEM_MENU_ITEM.label,
        delayed=[(gauge, changelist_url(gauge, colleague.at)) for gauge in gauges if gauge.state],
        oldest=max(gauges, key=lambda gauge: gauge.oldest or timedelta()),
        queues=[gauge for gauge in gauges if gauge.work == "queue"],
        jobs=system_status.job_statuses_or_none(real=colleague.at),
        channels=system_status.channel_statuses(real=colleague.at),
        versions=system_status.versions(),
        can_declare=colleague.is_in_groups(OUTAGE_ROLES),
        now=colleague.at,
    )


def _format_limit(limit: Limit) -> str:
    """A limit as text in the colleague's language."""
    if isinstance(limit, int):
        return str(limit)
    return duration(round_age(limit)) if limit else gettext("at once")


def changelist_url(gauge: Gauge, now: datetime) -> str:
    """The admin list of the counted rows, sorted by their time where the list shows it; empty when there is none.

    Each test realm has its own clock, so rows that are not due yet are listed there too.
    """
    rows = gauge.kind.rows
    if rows is None:
        return ""
    query = dict(rows.console_filters)
    if gauge.mode == "live":
        query["realm__exact"] = str(LIVE)
    else:
        query["realm__mode"] = gauge.mode
    if rows.includes_future or gauge.mode != "live":
        query.setdefault(f"{rows.column}__isnull", "False")
    else:
        query[f"{rows.column}__lte"] = (now - rows.min_age).isoformat()
    if gauge.group:
        query[f"{rows.group_by}__exact"] = gauge.group
    columns = list(admin.site.get_model_admin(rows.model).list_display)
    if rows.column in columns:
        query["o"] = str(columns.index(rows.column))
    return reverse(f"admin:{rows.model._meta.label_lower.replace('.', '_')}_changelist") + "?" + urlencode(query)
