"""The page of channels and their outages, and the pages that declare an outage or a recovery."""

from functools import partial
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import queries
from billing.channels import CHANNELS
from billing.models import Outage
from billing.refusals import ChannelNotOut, ChannelOut
from billing.services import outage
from kernel.action_page import render_action
from kernel.actor_names import usernames_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, MenuItem, ReasonForm, StrOrPromise, console_page
from kernel.console_lists import COUNT_MAX

DECLARERS = ("collections", "risk", "supervisor")
PAST_SHOWN = 20
MENU_ITEM = MenuItem("outages", gettext_lazy("Channels"), gettext_lazy("Declare outages and recoveries"), VIEWERS)


@console_page(*VIEWERS)
def outages(colleague: Colleague) -> HttpResponse:
    """All channels with their open outages, and the latest past ones."""
    open_ones = {row.channel: row for row in Outage.objects.filter(ended_at__isnull=True)}
    past = list(Outage.objects.filter(ended_at__isnull=False)[:PAST_SHOWN])
    return colleague.render(
        "console/outages.html",
        gettext_lazy("Channels"),
        channels=[(name, open_ones.get(name)) for name in CHANNELS],
        past=past,
        standing=queries.count_paused_by_outage(limit=COUNT_MAX),
        most=COUNT_MAX,
        names=usernames_of(by for row in (*open_ones.values(), *past) for by in (row.began_by, row.ended_by)),
        may=colleague.is_in_groups(DECLARERS),
    )


@console_page(*DECLARERS)
def begin(colleague: Colleague, channel: str) -> HttpResponse:
    """Declare an outage of a channel."""
    return _outage_action(colleague, channel, gettext_lazy("Declare outage"), _preview_begin, _begin)


@console_page(*DECLARERS)
def end(colleague: Colleague, channel: str) -> HttpResponse:
    """Declare that a channel has recovered."""
    return _outage_action(colleague, channel, gettext_lazy("Declare recovered"), _preview_end, _end)


def _outage_action(colleague: Colleague, channel: str, label: StrOrPromise, preview: Any, run: Any) -> HttpResponse:
    if channel not in CHANNELS:
        raise Http404
    return render_action(
        colleague,
        label,
        about=channel,
        back=reverse("outages"),
        form=ReasonForm(colleague.form_data, row=None),
        preview=partial(preview, channel),
        run=partial(run, colleague, channel),
    )


def _preview_begin(channel: str) -> StrOrPromise:
    if channel in queries.channels_in_outage():
        raise ChannelOut
    text = _(
        "Up to %(count)d debts of customers with a payment method there are paused until it recovers: no"
        " deductions from it, no late fees, no overdue days, no reminders. Deductions in progress will complete."
    )
    return text % {"count": queries.count_debts_on_channel(channel, limit=COUNT_MAX)}


def _preview_end(channel: str) -> StrOrPromise:
    if channel not in queries.channels_in_outage():
        raise ChannelNotOut
    text = _(
        "%(count)d orders are paused by outages; those of this channel resume where they paused, with every date moved"
        " back by the length of the pause."
    )
    return text % {"count": queries.count_paused_by_outage(limit=COUNT_MAX)}


def _begin(colleague: Colleague, channel: str, data: dict[str, Any]) -> StrOrPromise:
    outage.begin_outage(channel, data["note"], by=colleague.actor, at=colleague.at)
    return _("%(channel)s is declared out. Its orders will be paused within seconds.") % {"channel": channel}


def _end(colleague: Colleague, channel: str, data: dict[str, Any]) -> StrOrPromise:
    outage.end_outage(channel, data["note"], by=colleague.actor, at=colleague.at)
    return _("%(channel)s has recovered. Paused orders will resume within seconds.") % {"channel": channel}
