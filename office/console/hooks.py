"""Endpoints that fail: what did not arrive is sent again, one that is off is switched on, or left off for good."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from kernel.actor import Actor
from kernel.console_actions import Verb, VerbForm, Words
from merchants.models import WebhookEndpoint
from office.services import hooks

HELP = ("support", "supervisor")
_State = WebhookEndpoint.State


class SinceForm(VerbForm):
    """How far back."""

    days = forms.IntegerField(label=gettext_lazy("Period (last days)"), min_value=1, max_value=90, initial=7)


def _is_on(row: WebhookEndpoint) -> bool:
    return bool(row.state == _State.ENABLED)


def _was_switched_off(row: WebhookEndpoint) -> bool:
    return bool(row.state == _State.DISABLED)


def _fails(row: WebhookEndpoint) -> bool:
    """Whether it waits for somebody."""
    return row.state != _State.REMOVED and row.failing_from is not None and row.disabled_because != "by_merchant"


def _before_again(row: WebhookEndpoint, at: datetime) -> Words:
    del at
    says = _("Resends events not delivered to %(url)s, oldest first. Event IDs do not change.")
    return says % {"url": row.url}


def _again(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    count = hooks.send_again(key, since=at - timedelta(days=wish["days"]), by=by, at=at)
    return ngettext("%(n)d delivery queued for resending.", "%(n)d deliveries queued for resending.", count) % {
        "n": count
    }


def _before_on(row: WebhookEndpoint, at: datetime) -> Words:
    del at
    says = _("Resumes sending events to %(url)s. Missed events must be resent separately.")
    return says % {"url": row.url}


def _on(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    del wish
    hooks.switch_on(key, by=by, at=at)
    return _("Endpoint enabled.")


def _before_off(row: WebhookEndpoint, at: datetime) -> Words:
    del at
    says = _(
        "No events are sent to %(url)s until the merchant enables it again. The merchant can read all events at"
        " /v1/events."
    )
    return says % {"url": row.url}


def _off(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    del wish
    hooks.leave_off(key, by=by, at=at)
    return _("The endpoint stays disabled.")


VERBS = [
    Verb(
        "send_again",
        WebhookEndpoint,
        gettext_lazy("Resend undelivered events"),
        HELP,
        _before_again,
        _again,
        SinceForm,
        fits=_is_on,
    ),
    Verb(
        "switch_on",
        WebhookEndpoint,
        gettext_lazy("Enable again"),
        HELP,
        _before_on,
        _on,
        fits=_was_switched_off,
    ),
    Verb(
        "leave_off",
        WebhookEndpoint,
        gettext_lazy("No longer needed by the merchant"),
        HELP,
        _before_off,
        _off,
        fits=_fails,
    ),
]
