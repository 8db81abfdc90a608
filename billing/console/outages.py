"""Channels: which is out since when, and saying that one is, or is back."""

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
from kernel.actor_names import names_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, Desk, VerbForm, Words, deed, page
from kernel.console_lists import COUNT_MAX

DECLARERS = ("collections", "risk", "supervisor")
PAST_SHOWN = 20
DESK = Desk("outages", gettext_lazy("Channels"), gettext_lazy("Declare outages and recoveries"), VIEWERS)


@page(*VIEWERS)
def outages(colleague: Colleague) -> HttpResponse:
    """Every channel as it stands, and the latest outages."""
    open_ones = {row.channel: row for row in Outage.objects.filter(ended_at__isnull=True)}
    past = list(Outage.objects.filter(ended_at__isnull=False)[:PAST_SHOWN])
    return colleague.show(
        "console/outages.html",
        gettext_lazy("Channels"),
        channels=[(name, open_ones.get(name)) for name in CHANNELS],
        past=past,
        standing=queries.standing_still(most=COUNT_MAX),
        most=COUNT_MAX,
        names=names_of(by for row in (*open_ones.values(), *past) for by in (row.began_by, row.ended_by)),
        may=colleague.may(DECLARERS),
    )


@page(*DECLARERS)
def begin(colleague: Colleague, channel: str) -> HttpResponse:
    """This channel is out."""
    return _deed(colleague, channel, gettext_lazy("Declare outage"), _before_begin, _begin)


@page(*DECLARERS)
def end(colleague: Colleague, channel: str) -> HttpResponse:
    """It is back."""
    return _deed(colleague, channel, gettext_lazy("Declare recovered"), _before_end, _end)


def _deed(colleague: Colleague, channel: str, label: Words, preview: Any, run: Any) -> HttpResponse:
    if channel not in CHANNELS:
        raise Http404
    return deed(
        colleague,
        label,
        about=channel,
        back=reverse("outages"),
        form=VerbForm(colleague.given, row=None),
        preview=partial(preview, channel),
        run=partial(run, colleague, channel),
    )


def _before_begin(channel: str) -> Words:
    if channel in queries.channels_out():
        raise ChannelOut
    says = _(
        "Up to %(count)d debts of customers with a payment method there are paused until it recovers: no"
        " deductions from it, no late fees, no overdue days, no reminders. Deductions in progress will complete."
    )
    return says % {"count": queries.debts_near(channel, most=COUNT_MAX)}


def _before_end(channel: str) -> Words:
    if channel not in queries.channels_out():
        raise ChannelNotOut
    says = _(
        "%(count)d orders are paused by outages; those of this channel resume where they paused, with every date moved"
        " back by the length of the pause."
    )
    return says % {"count": queries.standing_still(most=COUNT_MAX)}


def _begin(colleague: Colleague, channel: str, wish: dict[str, Any]) -> Words:
    outage.begin_outage(channel, wish["note"], by=colleague.actor, at=colleague.at)
    return _("%(channel)s is declared out. Its orders will be paused within seconds.") % {"channel": channel}


def _end(colleague: Colleague, channel: str, wish: dict[str, Any]) -> Words:
    outage.end_outage(channel, wish["note"], by=colleague.actor, at=colleague.at)
    return _("%(channel)s has recovered. Paused orders will resume within seconds.") % {"channel": channel}
