"""The sandbox: its clock, its people, and what those people do."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Person
from billing.channels.bank import Behaviour
from billing.services import clock, instruments, people
from billing.services.instruments import Script
from billing.services.sandbox_door import make_link
from credit import queries as agreements
from credit import services as credit
from credit.models import Agreement
from kernel import ids
from kernel.paging import page as page_of
from kernel.refusal import NotFound
from kernel.templatetags.house import appointment
from kernel.templatetags.house import currency as currency_name
from merchants import queries as merchants
from merchants.models import Service
from orders import queries as owed
from orders import services as orders
from orders.models import Order
from portal import wording
from portal.forms import AmountField, ask
from portal.services.deeds import note_deed
from portal.staff import Staff, page

_FORM = require_http_methods(["GET", "HEAD", "POST"])
PEOPLE_A_PAGE, WAITING_SHOWN = 20, 20
STEPS = {"1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30)}


class Behaving(forms.Form):
    """How somebody's bank account behaves."""

    behaviour = forms.ChoiceField(label=gettext_lazy("Behaviour"), choices=list(wording.BEHAVIOURS.items()))
    days = forms.IntegerField(
        label=gettext_lazy("Number of days"),
        min_value=1,
        max_value=365,
        required=False,
        help_text=gettext_lazy("Only for “Insufficient funds for some days”."),
    )

    def __init__(self, given: Any, *, currencies: list[str], **kwargs: Any) -> None:
        super().__init__(given, **kwargs)
        asked = (given or {}).get("currency")
        currency = asked if asked in currencies else currencies[0]
        part = _("Only for “Balance covers only part”.")
        amount = AmountField(label=_("Account balance"), currency=currency, required=False, help_text=part)
        self.fields["amount"] = amount
        if len(currencies) > 1:
            of = [(code, currency_name(code)) for code in currencies]
            self.fields["currency"] = forms.ChoiceField(label=_("Currency"), choices=of, required=False, help_text=part)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("behaviour") == Behaviour.NO_FUNDS_UNTIL and not given.get("days"):
            self.add_error("days", _("Enter the number of days."))
        if given.get("behaviour") == Behaviour.PARTIAL_BALANCE and given.get("amount") is None:
            self.add_error("amount", _("Enter the balance."))
        return given

    def script(self, at: datetime) -> Script:
        given = self.cleaned_data
        behaviour = Behaviour(given["behaviour"])
        until = at + timedelta(days=given["days"]) if behaviour is Behaviour.NO_FUNDS_UNTIL else None
        return Script(behaviour, until, given["amount"] if behaviour is Behaviour.PARTIAL_BALANCE else None)


class NewPerson(Behaving):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=40, initial="艾达")
    field_order = ("name", "behaviour", "days", "amount")


class Signing(forms.Form):
    """Which service they open."""

    service = forms.ChoiceField(label=gettext_lazy("Service"))

    def __init__(self, *args: Any, services: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["service"].choices = services  # type: ignore[attr-defined]


class Ordering(forms.Form):
    """Which of their agreements they order under."""

    agreement = forms.ChoiceField(label=gettext_lazy("Service"))
    title = forms.CharField(label=gettext_lazy("Title"), max_length=100, initial="共享充电宝")

    def __init__(self, given: Any, *, signed: dict[str, Agreement]) -> None:
        super().__init__(given)
        choices = [(key, f"{row.service.name} · {row.service.currency}") for key, row in signed.items()]
        self.fields["agreement"].choices = choices  # type: ignore[attr-defined]
        chosen = signed.get((given or {}).get("agreement", ""))
        currency = chosen.service.currency if chosen else "CNY"
        help_text = _("Only for services whose amount is known when ordered.")
        self.fields["amount"] = AmountField(label=_("Amount"), currency=currency, required=False, help_text=help_text)


@require_safe
@page("sandbox")
def sandbox(staff: Staff) -> HttpResponse:
    """What time it is here, who is there, and what waits for them."""
    cursor = staff.request.GET.get("cursor") or None
    found, further = page_of(people.people_of(staff.merchant.realm_id), cursor=cursor, limit=PEOPLE_A_PAGE)
    waiting = Order.objects.filter(merchant=staff.merchant, state=Order.State.CREATED).select_related("person")
    return staff.show(
        "portal/sandbox.html",
        people=people.scripts_of(found),
        further=further,
        first=cursor is None,
        waiting=waiting.order_by("-pk")[:WAITING_SHOWN],
        reading=clock.read_clock(staff.merchant.realm_id, real=staff.real),
        local=timezone.localtime(staff.at).strftime("%Y-%m-%dT%H:%M"),
    )


@require_POST
@page("set_clock")
def set_clock(staff: Staff) -> HttpResponse:
    """Stand still, or run on."""
    mode = str(staff.request.POST.get("mode", ""))
    if mode not in set(clock.Mode):
        raise NotFound
    clock.set_clock(staff.merchant.realm_id, mode=mode, by=staff.actor, real=staff.real)
    staff.tell(_("The clock is frozen.") if mode == clock.Mode.FROZEN else _("The clock is running."))
    return staff.to("sandbox")


@require_POST
@page("advance_clock")
def advance_clock(staff: Staff) -> HttpResponse:
    """Time passes; what happened meanwhile is told."""
    to = _where(staff)
    if to is None:
        staff.warn(_("Enter a date and time in the future."))
        return staff.to("sandbox")
    came = clock.advance_clock(staff.merchant.realm_id, to=to, by=staff.actor, real=staff.real)
    told = sum(came.events.values())
    words = _("It is now %(now)s. %(events)d events occurred on the way.")
    staff.tell(words % {"now": appointment(came.now), "events": told})
    if not came.done:
        staff.warn(_("Not everything has been processed yet: advance to the same time again."))
    return staff.to("sandbox")


@_FORM
@page("add_person")
def add_person(staff: Staff) -> HttpResponse:
    form = NewPerson(staff.given, currencies=_currencies(staff))

    def run(given: dict[str, Any]) -> HttpResponse:
        script, realm = form.script(staff.at), staff.merchant.realm_id
        person = instruments.script_person(given["name"], script, realm_id=realm, by=staff.actor, at=staff.at)
        data = {"behaviour": str(script.behaviour)}
        note_deed(staff.merchant.id, "person_made", person.id, by=staff.actor, at=staff.at, **data)
        staff.tell(_("%(name)s was created.") % {"name": given["name"]})
        return staff.to("sandbox")

    title, lead = _("Create test user"), _("A test user (adult) whose bank account behaves as you choose.")
    return ask(staff, form, run, title=title, button=title, back=staff.url("sandbox"), lead=lead)


@_FORM
@page("change_person")
def change_person(staff: Staff, person: str) -> HttpResponse:
    found = _person(staff, person)
    now = {"behaviour": people.scripts_of([found])[0].script.behaviour.value}
    form = Behaving(staff.given, currencies=_currencies(staff), initial=now)

    def run(_given: dict[str, Any]) -> HttpResponse:
        realm = staff.merchant.realm_id
        people.change_script(realm, found.id, form.script(staff.at), by=staff.actor, at=staff.at)
        staff.tell(_("The new behaviour applies from now on."))
        return staff.to("sandbox")

    title, about = _("Change behaviour"), found.reveal_name()
    return ask(staff, form, run, title=title, button=_("Save"), back=staff.url("sandbox"), about=about)


@_FORM
@page("sign_as_person")
def sign_as_person(staff: Staff, person: str) -> HttpResponse:
    """They open a service, as on their own page."""
    found = _person(staff, person)
    offered = merchants.services_of(staff.merchant.id).filter(state=Service.State.ACTIVE)
    form = Signing(staff.given, services=[(row.public_id, row.name) for row in offered])

    def run(given: dict[str, Any]) -> HttpResponse:
        service = staff.named("svc", given["service"])
        asked = credit.request_agreement(staff.merchant.id, service, found.ref, by=staff.actor, at=staff.at)
        signing = credit.sign_agreement(asked.id, found.id, by=staff.actor, at=staff.at)
        if signing.decision.approved:
            staff.tell(_("Signed: %(id)s") % {"id": asked.public_id})
        else:
            staff.warn(_("The assessment was declined; nothing was opened."))
        return staff.to("sandbox")

    title, about = _("Sign agreement for user"), found.reveal_name()
    return ask(staff, form, run, title=title, button=title, back=staff.url("sandbox"), about=about)


@_FORM
@page("open_as_person")
def open_as_person(staff: Staff, person: str) -> HttpResponse:
    """A link to the pages as they see them; it is for another browser, for in this one it would sign the staff out."""
    found = _person(staff, person)

    def run(_given: dict[str, Any]) -> HttpResponse:
        link = make_link(staff.merchant.realm_id, found.id, by=staff.actor, at=staff.at, real=staff.real)
        return staff.show("portal/person_link.html", person=found, link=link)

    title = _("Open as this user")
    lead = _("Creates a link that signs a browser in as this user. It works once and expires in five minutes.")
    form, back = forms.Form(staff.given), staff.url("sandbox")
    return ask(staff, form, run, title=title, button=_("Create link"), back=back, lead=lead, about=found.reveal_name())


@_FORM
@page("order_as_person")
def order_as_person(staff: Staff, person: str) -> HttpResponse:
    """An order of theirs, as your own system would open it."""
    found = _person(staff, person)
    signed = agreements.agreements_of(staff.merchant.id).filter(person=found, state=Agreement.State.ACTIVE)
    rows = {row.public_id: row for row in signed}
    form = Ordering(staff.given, signed=rows)

    def run(given: dict[str, Any]) -> HttpResponse:
        row = rows[given["agreement"]]
        wish = orders.Wish(
            agreement_id=row.id,
            out_order_no=f"C{ids.uuid7().hex[:24]}",
            title=given["title"],
            currency=row.service.currency,
            amount=given["amount"],
        )
        opening = orders.open_order(staff.merchant.id, wish, by=staff.actor, at=staff.at)
        if opening.order is None:
            staff.warn(_("The assessment was declined; nothing was opened."))
            return staff.to("sandbox")
        return staff.to("order", opening.order.public_id)

    title, about = _("Create order"), found.reveal_name()
    lead = "" if rows else _("This user has no active agreement yet. Sign one first.")
    return ask(staff, form, run, title=title, button=title, back=staff.url("sandbox"), lead=lead, about=about)


@_FORM
@page("confirm_as_person")
def confirm_as_person(staff: Staff, order: str) -> HttpResponse:
    """They say yes to an order that waits for them."""
    found = owed.order_of(staff.merchant.id, staff.named("ord", order))

    def run(_given: dict[str, Any]) -> HttpResponse:
        opening = orders.confirm_order(found.id, by=staff.actor, at=staff.at)
        if opening.order is None:
            staff.warn(_("The assessment was declined; nothing was opened."))
        else:
            staff.tell(_("Confirmed."))
        return staff.to("order", order)

    title, back = _("Confirm as the customer"), staff.url("order", order)
    return ask(staff, forms.Form(staff.given), run, title=title, button=title, back=back, about=found.title)


def _currencies(staff: Staff) -> list[str]:
    """What the services here are offered in: an account at the bank has so many units of whatever is taken from it."""
    return sorted({row.currency for row in merchants.services_of(staff.merchant.id)}) or ["CNY"]


def _person(staff: Staff, person: str) -> Person:
    found = people.people_of(staff.merchant.realm_id).filter(pk=staff.named("per", person)).first()
    if found is None:
        raise NotFound
    return found


def _where(staff: Staff) -> datetime | timedelta | None:
    """How far time is to pass: one of the steps, or to a moment of the zone that the page names."""
    if step := STEPS.get(str(staff.request.POST.get("days", ""))):
        return step
    try:
        written = datetime.fromisoformat(str(staff.request.POST.get("to", "")))
        to = written.replace(tzinfo=ZoneInfo(settings.CONSOLE_ZONE)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return to if to > staff.at else None
