"""Console actions on failing webhook endpoints: resend undelivered events, enable, keep disabled."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from kernel.actor import Actor
from kernel.console_actions import ReasonForm, RowAction, StrOrPromise
from merchants.models import WebhookEndpoint
from office.services import webhook_endpoints

SUPPORT_GROUPS = ("support", "supervisor")
_State = WebhookEndpoint.State


class ResendPeriodForm(ReasonForm):
    """How many days back to resend."""

    days = forms.IntegerField(label=gettext_lazy("Period (last days)"), min_value=1, max_value=90, initial=7)


def _is_enabled(row: WebhookEndpoint) -> bool:
    return bool(row.state == _State.ENABLED)


def _is_disabled(row: WebhookEndpoint) -> bool:
    return bool(row.state == _State.DISABLED)


def _is_failing(row: WebhookEndpoint) -> bool:
    """Whether the endpoint is in the queue of failing endpoints."""
    return row.state != _State.REMOVED and row.failing_from is not None and row.disabled_because != "by_merchant"


def _resend_preview(row: WebhookEndpoint, at: datetime) -> StrOrPromise:
    del at
    message = _("Resends events not delivered to %(url)s, oldest first. Event IDs do not change.")
    return message % {"url": row.url}


def _resend(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    count = webhook_endpoints.resend_undelivered(key, since=at - timedelta(days=data["days"]), by=by, at=at)
    return ngettext("%(n)d delivery queued for resending.", "%(n)d deliveries queued for resending.", count) % {
        "n": count
    }


def _enable_preview(row: WebhookEndpoint, at: datetime) -> StrOrPromise:
    del at
    message = _("Resumes sending events to %(url)s. Missed events must be resent separately.")
    return message % {"url": row.url}


def _enable(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    del data
    webhook_endpoints.enable_endpoint(key, by=by, at=at)
    return _("Endpoint enabled.")


def _keep_disabled_preview(row: WebhookEndpoint, at: datetime) -> StrOrPromise:
    del at
    message = _(
        "No events are sent to %(url)s until the merchant enables it again. The merchant can read all events at"
        " /v1/events."
    )
    return message % {"url": row.url}


def _keep_disabled(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    del data
    webhook_endpoints.keep_disabled(key, by=by, at=at)
    return _("The endpoint stays disabled.")


ROW_ACTIONS = [
    RowAction(
        "send_again",
        WebhookEndpoint,
        gettext_lazy("Resend undelivered events"),
        SUPPORT_GROUPS,
        _resend_preview,
        _resend,
        ResendPeriodForm,
        applies_to=_is_enabled,
    ),
    RowAction(
        "switch_on",
        WebhookEndpoint,
        gettext_lazy("Enable again"),
        SUPPORT_GROUPS,
        _enable_preview,
        _enable,
        applies_to=_is_disabled,
    ),
    RowAction(
        "leave_off",
        WebhookEndpoint,
        gettext_lazy("No longer needed by the merchant"),
        SUPPORT_GROUPS,
        _keep_disabled_preview,
        _keep_disabled,
        applies_to=_is_failing,
    ),
]
