"""Where events go, how each copy gets on, and the events themselves."""

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from kernel.paging import page as page_of
from kernel.refusal import NotFound
from merchants import queries as merchants
from merchants import services as tenant
from merchants import wire
from merchants.models import WebhookEndpoint
from merchants.rules.events import ALL, PING, TYPES, kinds
from portal.forms import Amendment, ask
from portal.staff import Staff, page

_FORM = require_http_methods(["GET", "HEAD", "POST"])
ROWS_A_PAGE = 25
SPANS = {"1": gettext_lazy("Last 24 hours"), "7": gettext_lazy("Last 7 days"), "30": gettext_lazy("Last 30 days")}


class Endpoint(forms.Form):
    """Where to, and of what."""

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
        choices = [(ALL, _("All events")), *((k, k) for k in kinds()), *((t, t) for t in TYPES if t != PING)]
        self.fields["event_types"].choices = choices  # type: ignore[attr-defined]


class ChangedEndpoint(Amendment, Endpoint):
    enabled = forms.BooleanField(label=gettext_lazy("On"), required=False)


class Since(forms.Form):
    since = forms.ChoiceField(label=gettext_lazy("Starting from"), choices=list(SPANS.items()))


@require_safe
@page("endpoints")
def endpoints(staff: Staff) -> HttpResponse:
    rows = merchants.endpoints_of(staff.merchant.id).order_by("-pk")
    return staff.show("portal/endpoints.html", rows=rows)


@require_safe
@page("endpoint")
def endpoint(staff: Staff, endpoint: str) -> HttpResponse:
    """One endpoint and its latest deliveries."""
    found = _mine(staff, endpoint)
    state = staff.request.GET.get("state") or None
    state = state if state in ("pending", "delivered", "given_up") else None
    cursor = staff.request.GET.get("cursor") or None
    copies = merchants.deliveries_of(staff.merchant.id, endpoint_id=found.id, state=state)
    rows, further = page_of(copies, cursor=cursor, limit=ROWS_A_PAGE)
    shown: dict[str, Any] = {"rows": rows, "further": further, "first": cursor is None, "state": state or ""}
    return staff.show("portal/endpoint.html", endpoint=found, **shown)


@_FORM
@page("add_endpoint")
def add_endpoint(staff: Staff) -> HttpResponse:
    def run(given: dict[str, Any]) -> HttpResponse:
        made, secret = tenant.add_endpoint(staff.merchant.id, by=staff.actor, at=staff.at, **given)
        return _shown_once(staff, made, secret)

    title, lead = (
        _("Add endpoint"),
        _("Events are posted to this address, signed with a secret that is shown only once."),
    )
    return ask(staff, Endpoint(staff.given), run, title=title, button=title, back=staff.url("endpoints"), lead=lead)


@_FORM
@page("change_endpoint")
def change_endpoint(staff: Staff, endpoint: str) -> HttpResponse:
    found = _mine(staff, endpoint)
    now = {"url": found.url, "description": found.description, "event_types": found.event_types}
    form = ChangedEndpoint(staff.given, initial={**now, "enabled": found.state == "enabled"})

    def run(_given: dict[str, Any]) -> HttpResponse:
        terms = form.amended
        if "enabled" in terms:
            terms["state"] = "enabled" if terms.pop("enabled") else "disabled"
        if terms:
            tenant.change_endpoint(staff.merchant.id, found.id, terms, by=staff.actor, at=staff.at)
        staff.tell(_("Saved."))
        return staff.to("endpoint", endpoint)

    back = staff.url("endpoint", endpoint)
    return ask(staff, form, run, title=_("Edit endpoint"), button=_("Save"), back=back)


@_FORM
@page("remove_endpoint")
def remove_endpoint(staff: Staff, endpoint: str) -> HttpResponse:
    found = _mine(staff, endpoint)

    def run(_given: dict[str, Any]) -> HttpResponse:
        tenant.remove_endpoint(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
        staff.tell(_("No more events are sent there."))
        return staff.to("endpoints")

    title, lead = _("Delete endpoint"), _("No more events will be sent there; past deliveries stay on record.")
    back = staff.url("endpoint", endpoint)
    form = forms.Form(staff.given)
    return ask(staff, form, run, title=title, button=title, back=back, lead=lead, danger=True, about=found.url)


@_FORM
@page("rotate_endpoint_secret")
def rotate_secret(staff: Staff, endpoint: str) -> HttpResponse:
    found = _mine(staff, endpoint)

    def run(_given: dict[str, Any]) -> HttpResponse:
        changed, secret = tenant.rotate_secret(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
        return _shown_once(staff, changed, secret)

    title, lead = _("Rotate secret"), _("For one day events are signed with both the old and the new secret.")
    back = staff.url("endpoint", endpoint)
    return ask(staff, forms.Form(staff.given), run, title=title, button=title, back=back, lead=lead, about=found.url)


@_FORM
@page("ping_endpoint")
def ping(staff: Staff, endpoint: str) -> HttpResponse:
    """Does it answer? Asked now, and what came back is shown."""
    found = _mine(staff, endpoint)

    def run(_given: dict[str, Any]) -> HttpResponse:
        answer = tenant.ping_endpoint(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
        return staff.show("portal/ping.html", endpoint=found, ping=answer)

    title, lead = _("Send test event"), _("Sends one signed test event now and shows the response.")
    back = staff.url("endpoint", endpoint)
    return ask(staff, forms.Form(staff.given), run, title=title, button=title, back=back, lead=lead, about=found.url)


@_FORM
@page("redeliver_failed")
def redeliver_failed(staff: Staff, endpoint: str) -> HttpResponse:
    found = _mine(staff, endpoint)

    def run(given: dict[str, Any]) -> HttpResponse:
        since = staff.at - timedelta(days=int(given["since"]))
        count = tenant.redeliver_failed(staff.merchant.id, found.id, since=since, by=staff.actor, at=staff.at)
        words = ngettext("%(count)d delivery resent.", "%(count)d deliveries resent.", count)
        staff.tell(words % {"count": count})
        return staff.to("endpoint", endpoint)

    title, lead = _("Resend failed events"), _("Resends all events not delivered since then, oldest first.")
    back = staff.url("endpoint", endpoint)
    return ask(staff, Since(staff.given), run, title=title, button=title, back=back, lead=lead, about=found.url)


@require_safe
@page("events")
def events(staff: Staff) -> HttpResponse:
    kind, cursor = staff.request.GET.get("type", ""), staff.request.GET.get("cursor") or None
    types = [kind] if kind in TYPES else []
    rows, further = _feed(staff, types, cursor)
    shown: dict[str, Any] = {
        "rows": rows,
        "further": further,
        "first": cursor is None,
        "kind": kind,
        "kinds": list(TYPES),
    }
    return staff.show("portal/events.html", **shown)


@_FORM
@page("event")
def event(staff: Staff, event: str) -> HttpResponse:
    """One event as it is sent, who got it, and sending it again."""
    found = merchants.event_of(staff.merchant.id, staff.named("evt", event))
    if staff.posts:
        if staff.sends_first():
            tenant.redeliver_event(staff.merchant.id, found.id, by=staff.actor, at=staff.at)
            staff.tell(_("Resent."))
        return staff.to("event", event)
    body = json.dumps(json.loads(wire.body_of(found)), ensure_ascii=False, indent=2)
    copies = merchants.deliveries_of(staff.merchant.id, event_id=found.id)
    return staff.show("portal/event.html", event=found, body=body, copies=copies, again=found.type != PING)


def _feed(staff: Staff, types: list[str], cursor: str | None) -> tuple[list[Any], str | None]:
    """A page of the feed; its cursor is the id of the last event on it."""
    rows = merchants.events_of(staff.merchant.id, types=types)
    if cursor is not None:
        place = merchants.place_of(staff.merchant.id, staff.named("evt", cursor))
        if place is None:
            raise NotFound
        rows = rows.before(*place)
    found = list(rows[: ROWS_A_PAGE + 1])
    further = found[ROWS_A_PAGE - 1].public_id if len(found) > ROWS_A_PAGE else None
    return found[:ROWS_A_PAGE], further


def _mine(staff: Staff, endpoint: str) -> WebhookEndpoint:
    return merchants.endpoint_of(staff.merchant.id, staff.named("whe", endpoint))


def _shown_once(staff: Staff, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
    back = staff.url("endpoint", endpoint.public_id)
    shown: dict[str, Any] = {
        "secret": secret,
        "title": _("Endpoint signing secret"),
        "back": back,
        "what": endpoint.url,
    }
    return staff.show("portal/secret.html", curl=False, **shown)
