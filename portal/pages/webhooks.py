"""Webhook endpoints, their deliveries, and the events themselves."""

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from kernel.paging import paginate
from kernel.refusal import NotFound
from merchants import queries as merchant_queries
from merchants import services as merchant_services
from merchants import wire
from merchants.models import WebhookEndpoint
from merchants.rules.events import ALL, EVENT_TYPES, PING, wildcard_filters
from portal.forms import ChangeForm, render_form
from portal.staff import Staff, merchant_page

_FORM = require_http_methods(["GET", "HEAD", "POST"])
ROWS_A_PAGE = 25
PERIODS = {"1": gettext_lazy("Last 24 hours"), "7": gettext_lazy("Last 7 days"), "30": gettext_lazy("Last 30 days")}


class EndpointForm(forms.Form):
    """URL, description and event types of an endpoint."""

    url = forms.CharField(
        label=gettext_lazy("Endpoint"),
        max_length=500,
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/webhooks", "autocomplete": "off"}),
    )
    description = forms.CharField(label=gettext_lazy("Description"), max_length=200, required=False)
    event_types = forms.MultipleChoiceField(
        label=gettext_lazy("Event types"), widget=forms.CheckboxSelectMultiple, initial=[ALL]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [
            (ALL, _("All events")),
            *((k, k) for k in wildcard_filters()),
            *((t, t) for t in EVENT_TYPES if t != PING),
        ]
        self.fields["event_types"].choices = choices  # type: ignore[attr-defined]


class ChangeEndpointForm(ChangeForm, EndpointForm):
    enabled = forms.BooleanField(label=gettext_lazy("On"), required=False)


class ResendPeriodForm(forms.Form):
    since = forms.ChoiceField(label=gettext_lazy("Starting from"), choices=list(PERIODS.items()))


@require_safe
@merchant_page("endpoints")
def endpoint_list(staff: Staff) -> HttpResponse:
    rows = merchant_queries.endpoints_of(staff.merchant.id).order_by("-pk")
    return staff.render("portal/endpoints.html", rows=rows)


@require_safe
@merchant_page("endpoint")
def endpoint(staff: Staff, endpoint: str) -> HttpResponse:
    """One endpoint and its deliveries, newest first."""
    found = _find_endpoint(staff, endpoint)
    state = staff.request.GET.get("state") or None
    state = state if state in ("pending", "delivered", "given_up") else None
    cursor = staff.request.GET.get("cursor") or None
    deliveries = merchant_queries.deliveries_of(staff.merchant.id, endpoint_id=found.id, state=state)
    rows, next_cursor = paginate(deliveries, cursor=cursor, limit=ROWS_A_PAGE)
    context: dict[str, Any] = {
        "rows": rows,
        "next_cursor": next_cursor,
        "is_first_page": cursor is None,
        "state": state or "",
    }
    return staff.render("portal/endpoint.html", endpoint=found, **context)


@_FORM
@merchant_page("add_endpoint")
def add_endpoint(staff: Staff) -> HttpResponse:
    def run(data: dict[str, Any]) -> HttpResponse:
        created, secret = merchant_services.add_endpoint(staff.merchant.id, by=staff.actor, at=staff.at, **data)
        return _render_secret(staff, created, secret)

    title, lead = (
        _("Add endpoint"),
        _("Events are posted to this address, signed with a secret that is shown only once."),
    )
    return render_form(
        staff, EndpointForm(staff.form_data), run, title=title, button=title, back=staff.url("endpoints"), lead=lead
    )


@_FORM
@merchant_page("change_endpoint")
def change_endpoint(staff: Staff, endpoint: str) -> HttpResponse:
    found = _find_endpoint(staff, endpoint)
    now = {"url": found.url, "description": found.description, "event_types": found.event_types}
    form = ChangeEndpointForm(staff.form_data, initial={**now, "enabled": found.state == "enabled"})

    def run(_data: dict[str, Any]) -> HttpResponse:
        terms = form.changes
        if "enabled" in terms:
            terms["state"] = "enabled" if terms.pop("enabled") else "disabled"
        if terms:
            merchant_services.change_endpoint(staff.merchant.id, found.id, terms, by=staff.actor, at=staff.at)
        staff.add_message(_("Saved."))
        return staff.redirect_to("endpoint", endpoint)

    back = staff.url("endpoint", endpoint)
    return render_form(staff, form, run, title=_("Edit endpoint"), button=_("Save"), back=back)


@_FORM
@merchant_page("remove_endpoint")
def remove_endpoint(staff: Staff, endpoint: str) -> HttpResponse:
    found = _find_endpoint(staff, endpoint)

    def run(_data: dict[str, Any]) -> HttpResponse:
        merchant_services.remove_endpoint(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
        staff.add_message(_("No more events are sent there."))
        return staff.redirect_to("endpoints")

    title, lead = _("Delete endpoint"), _("No more events will be sent there; past deliveries stay on record.")
    back = staff.url("endpoint", endpoint)
    form = forms.Form(staff.form_data)
    return render_form(staff, form, run, title=title, button=title, back=back, lead=lead, danger=True, about=found.url)


@_FORM
@merchant_page("rotate_endpoint_secret")
def rotate_secret(staff: Staff, endpoint: str) -> HttpResponse:
    found = _find_endpoint(staff, endpoint)

    def run(_data: dict[str, Any]) -> HttpResponse:
        rotated, secret = merchant_services.rotate_secret(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
        return _render_secret(staff, rotated, secret)

    title, lead = _("Rotate secret"), _("For one day events are signed with both the old and the new secret.")
    back = staff.url("endpoint", endpoint)
    return render_form(
        staff, forms.Form(staff.form_data), run, title=title, button=title, back=back, lead=lead, about=found.url
    )


@_FORM
@merchant_page("ping_endpoint")
def ping(staff: Staff, endpoint: str) -> HttpResponse:
    """Send a test event now and show the response."""
    found = _find_endpoint(staff, endpoint)

    def run(_data: dict[str, Any]) -> HttpResponse:
        response = merchant_services.ping_endpoint(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
        return staff.render("portal/ping.html", endpoint=found, ping=response)

    title, lead = _("Send test event"), _("Sends one signed test event now and shows the response.")
    back = staff.url("endpoint", endpoint)
    return render_form(
        staff, forms.Form(staff.form_data), run, title=title, button=title, back=back, lead=lead, about=found.url
    )


@_FORM
@merchant_page("redeliver_failed")
def redeliver_failed(staff: Staff, endpoint: str) -> HttpResponse:
    found = _find_endpoint(staff, endpoint)

    def run(data: dict[str, Any]) -> HttpResponse:
        since = staff.at - timedelta(days=int(data["since"]))
        count = merchant_services.redeliver_failed(
            staff.merchant.id, found.id, since=since, by=staff.actor, at=staff.at
        )
        words = ngettext("%(count)d delivery resent.", "%(count)d deliveries resent.", count)
        staff.add_message(words % {"count": count})
        return staff.redirect_to("endpoint", endpoint)

    title, lead = _("Resend failed events"), _("Resends all events not delivered since then, oldest first.")
    back = staff.url("endpoint", endpoint)
    return render_form(
        staff, ResendPeriodForm(staff.form_data), run, title=title, button=title, back=back, lead=lead, about=found.url
    )


@require_safe
@merchant_page("events")
def event_list(staff: Staff) -> HttpResponse:
    kind, cursor = staff.request.GET.get("type", ""), staff.request.GET.get("cursor") or None
    types = [kind] if kind in EVENT_TYPES else []
    rows, next_cursor = _event_page(staff, types, cursor)
    context: dict[str, Any] = {
        "rows": rows,
        "next_cursor": next_cursor,
        "is_first_page": cursor is None,
        "kind": kind,
        "kinds": list(EVENT_TYPES),
    }
    return staff.render("portal/events.html", **context)


@_FORM
@merchant_page("event")
def event(staff: Staff, event: str) -> HttpResponse:
    """One event's body and deliveries; POST resends it."""
    found = merchant_queries.event_of(staff.merchant.id, staff.parse_id("evt", event))
    if staff.is_post:
        if staff.claim_submission():
            merchant_services.redeliver_event(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
            staff.add_message(_("Resent."))
        return staff.redirect_to("event", event)
    body = json.dumps(json.loads(wire.webhook_body(found)), ensure_ascii=False, indent=2)
    deliveries = merchant_queries.deliveries_of(staff.merchant.id, event_id=found.id)
    return staff.render(
        "portal/event.html", event=found, body=body, deliveries=deliveries, can_resend=found.type != PING
    )


def _event_page(staff: Staff, types: list[str], cursor: str | None) -> tuple[list[Any], str | None]:
    """A page of events, newest first; the cursor is the id of the page's last event."""
    rows = merchant_queries.events_of(staff.merchant.id, types=types)
    if cursor is not None:
        position = merchant_queries.feed_position(staff.merchant.id, staff.parse_id("evt", cursor))
        if position is None:
            raise NotFound
        rows = rows.before(*position)
    found = list(rows[: ROWS_A_PAGE + 1])
    next_cursor = found[ROWS_A_PAGE - 1].public_id if len(found) > ROWS_A_PAGE else None
    return found[:ROWS_A_PAGE], next_cursor


def _find_endpoint(staff: Staff, endpoint: str) -> WebhookEndpoint:
    return merchant_queries.endpoint_of(staff.merchant.id, staff.parse_id("whe", endpoint))


def _render_secret(staff: Staff, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
    back = staff.url("endpoint", endpoint.public_id)
    context: dict[str, Any] = {
        "secret": secret,
        "title": _("Endpoint signing secret"),
        "back": back,
        "what": endpoint.url,
    }
    return staff.render("portal/secret.html", curl=False, **context)
