"""/ops/work/: the work under way, each number a way to the rows behind it; and /ops/system/: the house as a whole."""

from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from bnpl import system
from bnpl.work.figures import COUNT_MAX, Figure, State, under_way
from bnpl.work.kind import Limit, rounded
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, Desk, page
from kernel.models import LIVE
from kernel.templatetags.house import span

DESK = Desk("work", _("Work in progress"), _("What is waiting, since when, and what is delayed or stuck."), VIEWERS)
SYSTEM = Desk("system", _("System"), _("Jobs, channels and version: system status"), VIEWERS)
#: Whoever may declare a channel out finds the way to it here.
DECLARERS = ("collections", "risk", "supervisor")


@require_safe
@page(*VIEWERS)
def work(colleague: Colleague) -> HttpResponse:
    """For everybody who may look at the rows themselves."""
    figures = under_way(real=colleague.at)
    return colleague.show(
        "ops/work.html",
        DESK.label,
        rows=[
            (figure, rows_behind(figure, colleague.at), [_said(limit) for limit in figure.kind.limits])
            for figure in figures
        ],
        stuck=sum(figure.state == State.STUCK for figure in figures),
        most=COUNT_MAX,
        now=colleague.at,
    )


@require_safe
@page(*VIEWERS)
def whole(colleague: Colleague) -> HttpResponse:
    """What is late or stuck, each job's last run, each channel with its switch, and what it is all made of."""
    figures = under_way(real=colleague.at)
    return colleague.show(
        "ops/system.html",
        SYSTEM.label,
        troubles=[(figure, rows_behind(figure, colleague.at)) for figure in figures if figure.state],
        oldest=max(figures, key=lambda figure: figure.oldest or timedelta()),
        queues=[figure for figure in figures if figure.work == "queue"],
        jobs=system.jobs_if_asked(real=colleague.at),
        channels=system.channels(real=colleague.at),
        parts=system.parts(),
        may=colleague.may(DECLARERS),
        now=colleague.at,
    )


def _said(limit: Limit) -> str:
    """A limit, or an age, in the colleague's language."""
    if isinstance(limit, int):
        return str(limit)
    return span(rounded(limit)) if limit else gettext("at once")


def rows_behind(figure: Figure, now: datetime) -> str:
    """The console's list of what was counted, by its time where the list has it; empty when there is none.

    Test realms have clocks of their own, so of theirs what is to come is listed too.
    """
    rows = figure.kind.rows
    if rows is None:
        return ""
    look = dict(rows.look)
    if figure.mode == "live":
        look["realm__exact"] = str(LIVE)
    else:
        look["realm__mode"] = figure.mode
    if rows.whole or figure.mode != "live":
        look.setdefault(f"{rows.column}__isnull", "False")
    else:
        look[f"{rows.column}__lte"] = (now - rows.after).isoformat()
    if figure.of:
        look[f"{rows.of}__exact"] = figure.of
    columns = list(admin.site.get_model_admin(rows.model).list_display)
    if rows.column in columns:
        look["o"] = str(columns.index(rows.column))
    return reverse(f"admin:{rows.model._meta.label_lower.replace('.', '_')}_changelist") + "?" + urlencode(look)
