"""/ops/work/: the work under way as a table, each number a way to the rows behind it."""

from datetime import datetime
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from bnpl.work.figures import Figure, State, under_way
from kernel.admin_site import VIEWERS, belongs
from kernel.clock import live_now
from kernel.desk import Desk
from kernel.models import LIVE

DESK = Desk("work", _("Work under way"), _("What waits, since when, and what is late or stuck."), VIEWERS)


@require_safe
def work(request: HttpRequest) -> HttpResponse:
    """For everybody who may look at the rows themselves."""
    if not belongs(request.user, VIEWERS):
        raise PermissionDenied
    now = live_now()
    figures = under_way(real=now)
    shown = {
        "title": DESK.label,
        "rows": [(figure, rows_behind(figure, now)) for figure in figures],
        "stuck": sum(figure.state == State.STUCK for figure in figures),
        "now": now,
    }
    return render(request, "ops/work.html", {**admin.site.each_context(request), **shown})


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
        look["realm__mode__exact"] = figure.mode
    if rows.whole or figure.mode != "live":
        look.setdefault(f"{rows.column}__isnull", "False")
    else:
        look[f"{rows.column}__lte"] = now.isoformat()
    if figure.of:
        look[f"{rows.of}__exact"] = figure.of
    columns = list(admin.site.get_model_admin(rows.model).list_display)
    if rows.column in columns:
        look["o"] = str(columns.index(rows.column) + 1)
    return reverse(f"admin:{rows.model._meta.label_lower.replace('.', '_')}_changelist") + "?" + urlencode(look)
