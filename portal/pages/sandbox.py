"""The sandbox: its clock, its test users, and acting as a test user."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Person
from billing.services import instruments, sandbox_clock, sandbox_people
from billing.services.sandbox_sign_in import create_sign_in_link
from credit import queries as agreement_queries
from credit import services as credit
from credit.models import Agreement
from kernel import ids
from kernel.paging import paginate
from kernel.refusal import NotFound
from kernel.templatetags.formatting import appointment
from merchants import queries as merchant_queries
from merchants.models import Service
from orders import queries as order_queries
from orders import services as orders
from orders.models import Order
from portal.forms import render_form
from portal.sandbox_forms import BehaviourForm, NewPersonForm, OrderForm, SignAgreementForm
from portal.services.audited_actions import record_action
from portal.staff import Staff, merchant_page

_FORM = require_http_methods(["GET", "HEAD", "POST"])
PEOPLE_A_PAGE, WAITING_SHOWN = 20, 20
CLOCK_STEPS = {"1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30)}


@require_safe
@merchant_page("sandbox")
def sandbox(staff: Staff) -> HttpResponse:
    """The clock, the test users, and orders that await their confirmation."""
    cursor = staff.request.GET.get("cursor") or None
    found, next_cursor = paginate(
        sandbox_people.scripted_people(staff.merchant.realm_id), cursor=cursor, limit=PEOPLE_A_PAGE
    )
    waiting = Order.objects.filter(merchant=staff.merchant, state=Order.State.CREATED).select_related("person")
    return staff.render(
        "portal/sandbox.html",
        people=sandbox_people.scripts_of(found),
        next_cursor=next_cursor,
        is_first_page=cursor is None,
        waiting=waiting.order_by("-pk")[:WAITING_SHOWN],
        reading=sandbox_clock.read_clock(staff.merchant.realm_id, real=staff.real),
        local=timezone.localtime(staff.at).strftime("%Y-%m-%dT%H:%M"),
    )


@require_POST
@merchant_page("set_clock")
def set_clock(staff: Staff) -> HttpResponse:
    """Freeze the clock or let it run."""
    mode = str(staff.request.POST.get("mode", ""))
    if mode not in set(sandbox_clock.Mode):
        raise NotFound
    sandbox_clock.set_clock(staff.merchant.realm_id, mode=mode, by=staff.actor, real=staff.real)
    staff.add_message(_("The clock is frozen.") if mode == sandbox_clock.Mode.FROZEN else _("The clock is running."))
    return staff.redirect_to("sandbox")


@require_POST
@merchant_page("advance_clock")
def advance_clock(staff: Staff) -> HttpResponse:
    """Advance the clock, processing what falls due, and report how many events occurred."""
    to = _advance_target(staff)
    if to is None:
        staff.add_warning(_("Enter a date and time in the future."))
        return staff.redirect_to("sandbox")
    result = sandbox_clock.advance_clock(staff.merchant.realm_id, to=to, by=staff.actor, real=staff.real)
    event_count = sum(result.events.values())
    message = _("It is now %(now)s. %(events)d events occurred on the way.")
    staff.add_message(message % {"now": appointment(result.now), "events": event_count})
    if not result.done:
        staff.add_warning(_("Not everything has been processed yet: advance to the same time again."))
    return staff.redirect_to("sandbox")


@_FORM
@merchant_page("add_person")
def add_person(staff: Staff) -> HttpResponse:
    form = NewPersonForm(staff.form_data, currencies=_currencies(staff))

    def run(data: dict[str, Any]) -> HttpResponse:
        script, realm = form.script(staff.at), staff.merchant.realm_id
        person = instruments.create_scripted_person(data["name"], script, realm_id=realm, by=staff.actor, at=staff.at)
        details = {"behaviour": str(script.behaviour)}
        record_action(staff.merchant.id, "person_made", person.id, by=staff.actor, at=staff.at, **details)
        staff.add_message(_("%(name)s was created.") % {"name": data["name"]})
        return staff.redirect_to("sandbox")

    title, lead = _("Create test user"), _("A test user (adult) whose bank account behaves as you choose.")
    return render_form(staff, form, run, title=title, button=title, back=staff.url("sandbox"), lead=lead)


@_FORM
@merchant_page("change_person")
def change_person(staff: Staff, person: str) -> HttpResponse:
    found = _find_person(staff, person)
    now = {"behaviour": sandbox_people.scripts_of([found])[0].script.behaviour.value}
    form = BehaviourForm(staff.form_data, currencies=_currencies(staff), initial=now)

    def run(_data: dict[str, Any]) -> HttpResponse:
        realm = staff.merchant.realm_id
        sandbox_people.change_script(realm, found.id, form.script(staff.at), by=staff.actor, at=staff.at)
        staff.add_message(_("The new behaviour applies from now on."))
        return staff.redirect_to("sandbox")

    title, about = _("Change behaviour"), found.reveal_name()
    return render_form(staff, form, run, title=title, button=_("Save"), back=staff.url("sandbox"), about=about)


@_FORM
@merchant_page("sign_as_person")
def sign_as_person(staff: Staff, person: str) -> HttpResponse:
    """Open a service as this test user."""
    found = _find_person(staff, person)
    offered = merchant_queries.services_of(staff.merchant.id).filter(state=Service.State.ACTIVE)
    form = SignAgreementForm(staff.form_data, services=[(row.public_id, row.name) for row in offered])

    def run(data: dict[str, Any]) -> HttpResponse:
        service = staff.parse_id("svc", data["service"])
        asked = credit.request_agreement(staff.merchant.id, service, found.ref, by=staff.actor, at=staff.at)
        signing = credit.sign_agreement(asked.id, found.id, by=staff.actor, at=staff.at)
        if signing.decision.approved:
            staff.add_message(_("Signed: %(id)s") % {"id": asked.public_id})
        else:
            staff.add_warning(_("The assessment was declined; nothing was opened."))
        return staff.redirect_to("sandbox")

    title, about = _("Sign agreement for user"), found.reveal_name()
    return render_form(staff, form, run, title=title, button=title, back=staff.url("sandbox"), about=about)


@_FORM
@merchant_page("open_as_person")
def open_as_person(staff: Staff, person: str) -> HttpResponse:
    """A link that signs in as this test user; for another browser, since it would sign staff out of this one."""
    found = _find_person(staff, person)

    def run(_data: dict[str, Any]) -> HttpResponse:
        link = create_sign_in_link(staff.merchant.realm_id, found.id, by=staff.actor, at=staff.at, real=staff.real)
        return staff.render("portal/person_link.html", person=found, link=link)

    title = _("Open as this user")
    lead = _("Creates a link that signs a browser in as this user. It works once and expires in five minutes.")
    form, back = forms.Form(staff.form_data), staff.url("sandbox")
    return render_form(
        staff, form, run, title=title, button=_("Create link"), back=back, lead=lead, about=found.reveal_name()
    )


@_FORM
@merchant_page("order_as_person")
def order_as_person(staff: Staff, person: str) -> HttpResponse:
    """Create an order for this test user, as the merchant's own system would."""
    found = _find_person(staff, person)
    agreements = agreement_queries.agreements_of(staff.merchant.id).filter(person=found, state=Agreement.State.ACTIVE)
    rows = {row.public_id: row for row in agreements}
    form = OrderForm(staff.form_data, signed=rows)

    def run(data: dict[str, Any]) -> HttpResponse:
        row = rows[data["agreement"]]
        order_request = orders.OrderRequest(
            agreement_id=row.id,
            out_order_no=f"C{ids.uuid7().hex[:24]}",
            title=data["title"],
            currency=row.service.currency,
            amount=data["amount"],
        )
        result = orders.open_order(staff.merchant.id, order_request, by=staff.actor, at=staff.at)
        if result.order is None:
            staff.add_warning(_("The assessment was declined; nothing was opened."))
            return staff.redirect_to("sandbox")
        return staff.redirect_to("order", result.order.public_id)

    title, about = _("Create order"), found.reveal_name()
    lead = "" if rows else _("This user has no active agreement yet. Sign one first.")
    return render_form(staff, form, run, title=title, button=title, back=staff.url("sandbox"), lead=lead, about=about)


@_FORM
@merchant_page("confirm_as_person")
def confirm_as_person(staff: Staff, order: str) -> HttpResponse:
    """Confirm an order as its test user."""
    found = order_queries.order_of(staff.merchant.id, staff.parse_id("ord", order))

    def run(_data: dict[str, Any]) -> HttpResponse:
        result = orders.confirm_order(found.id, by=staff.actor, at=staff.at)
        if result.order is None:
            staff.add_warning(_("The assessment was declined; nothing was opened."))
        else:
            staff.add_message(_("Confirmed."))
        return staff.redirect_to("order", order)

    title, back = _("Confirm as the customer"), staff.url("order", order)
    return render_form(staff, forms.Form(staff.form_data), run, title=title, button=title, back=back, about=found.title)


def _currencies(staff: Staff) -> list[str]:
    """Currencies of the merchant's services, in which a test account's balance can be set."""
    return sorted({row.currency for row in merchant_queries.services_of(staff.merchant.id)}) or ["CNY"]


def _find_person(staff: Staff, person: str) -> Person:
    found = sandbox_people.scripted_people(staff.merchant.realm_id).filter(pk=staff.parse_id("per", person)).first()
    if found is None:
        raise NotFound
    return found


def _advance_target(staff: Staff) -> datetime | timedelta | None:
    """The chosen step, or the entered time in the console's zone; None if that is not in the future."""
    if step := CLOCK_STEPS.get(str(staff.request.POST.get("days", ""))):
        return step
    try:
        written = datetime.fromisoformat(str(staff.request.POST.get("to", "")))
        to = written.replace(tzinfo=ZoneInfo(settings.CONSOLE_ZONE)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return to if to > staff.at else None
