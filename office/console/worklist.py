"""/ops/collections/: overdue customers by contact priority, and one customer's debts and contact history."""

from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts import contacts
from accounts.contacts import NewContact
from accounts.models import Contact, Person
from accounts.refusals import OutsideHours
from kernel import ids
from kernel.action_page import render_action
from kernel.actor_names import usernames_of
from kernel.console_actions import Colleague, MenuItem, ReasonForm, StrOrPromise, console_page
from kernel.templatetags.formatting import plain_datetime
from office.environments import MODES, selected_mode
from office.queries import worklist
from office.queries.worklist import Debtor, OverdueOrder
from office.refusals import ContactNotAllowed, NothingOverdue
from office.rules import AGEING_BUCKETS
from office.services import collection_contacts

COLLECTION_GROUPS = ("collections", "supervisor")
MENU_ITEM = MenuItem(
    "worklist", gettext_lazy("Collections"), gettext_lazy("Overdue customers, by contact priority"), COLLECTION_GROUPS
)
CONTACTS_SHOWN = 100
WAY_LABELS: dict[str, StrOrPromise] = {
    Contact.Way.CALL: gettext_lazy("Call"),
    Contact.Way.TEXT: gettext_lazy("Text message"),
    Contact.Way.LETTER: gettext_lazy("Letter"),
    Contact.Way.VISIT: gettext_lazy("Visit"),
}
OUTCOME_LABELS: dict[str, StrOrPromise] = {
    Contact.Outcome.REACHED: gettext_lazy("Reached"),
    Contact.Outcome.NOT_REACHED: gettext_lazy("Not reached"),
    Contact.Outcome.PROMISED: gettext_lazy("Promised to pay"),
    Contact.Outcome.DISPUTES: gettext_lazy("Disputes the debt"),
    Contact.Outcome.HARDSHIP: gettext_lazy("Requests a payment plan"),
    Contact.Outcome.WRONG_NUMBER: gettext_lazy("Wrong number"),
}


class ContactForm(ReasonForm):
    """A contact with a customer: channel, debt, time, outcome and note."""

    is_note_erasable = True
    note = forms.CharField(
        label=gettext_lazy("Messages"),
        max_length=collection_contacts.NOTE_MAX,
        help_text=gettext_lazy("The customer can see this in a copy of their data."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    way = forms.ChoiceField(label=gettext_lazy("Contact channel"), choices=list(WAY_LABELS.items()))
    order = forms.ChoiceField(label=gettext_lazy("For which debt"), required=False)
    minutes = forms.IntegerField(
        label=gettext_lazy("Minutes ago"),
        min_value=0,
        max_value=collection_contacts.LOG_WITHIN // timedelta(minutes=1),
        initial=0,
    )
    outcome = forms.ChoiceField(label=gettext_lazy("Outcome of the request"), choices=list(OUTCOME_LABELS.items()))
    promised_on = forms.DateField(
        label=gettext_lazy("Promised to pay by"),
        required=False,
        help_text=gettext_lazy("Only if the customer promised to pay."),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )

    def __init__(self, *args: Any, row: list[OverdueOrder], **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        choices = [
            (each.order.public_id, f"{each.order.title} · {each.order.merchant.name}") for each in row if not each.hold
        ]
        self.fields["order"].choices = [("", _("Everything that is overdue")), *choices]  # type: ignore[attr-defined]


@require_safe
@console_page(*COLLECTION_GROUPS)
def worklist_page(colleague: Colleague) -> HttpResponse:
    """Customers with a broken promise first, then those whose oldest debt is in the chosen bucket, the oldest first."""
    query = colleague.request.GET
    mode = selected_mode(query)
    bucket = next((name for name in AGEING_BUCKETS if name == query.get("bucket")), AGEING_BUCKETS[0])
    after = ids.parse_hex(query["after"]) if "after" in query else None
    if "after" in query and after is None:
        raise Http404
    broken = worklist.broken_promises(mode, colleague.at)
    keys, more = worklist.people_in_bucket(mode, bucket, after, broken)
    first = [] if after else broken
    rows = worklist.debtors_for([*first, *keys], colleague.at, broken=broken)
    params = {"mode": mode, "bucket": bucket}
    return colleague.render(
        "office/worklist.html",
        MENU_ITEM.label,
        rows=[(row, _contact_labels(row.last_contact)) for row in rows],
        ages=[(name, urlencode(params | {"bucket": name})) for name in AGEING_BUCKETS],
        buckets=[
            (row, urlencode(params | {"bucket": row.name})) for row in ([] if after else worklist.ageing_buckets(mode))
        ],
        bucket=bucket,
        mode=mode,
        modes=[(name, label, urlencode(params | {"mode": name})) for name, label in MODES],
        more=urlencode(params | {"after": more.hex}) if more else "",
    )


@console_page(*COLLECTION_GROUPS)
def debtor_page(colleague: Colleague, person: str) -> HttpResponse:
    """One customer's overdue debts and contact history, and the form that records a contact."""
    key = ids.parse(Person.prefix, person)
    found = worklist.debtors_for([key], colleague.at) if key else []
    if not found:
        raise Http404
    (debtor,) = found
    if not colleague.is_post:
        colleague.audit("viewed.debtor", person)
    overdue = worklist.overdue_orders(debtor.person.pk)
    contact_rows = list(Contact.objects.filter(person=debtor.person).order_by("-at", "-id")[:CONTACTS_SHOWN])
    return render_action(
        colleague,
        gettext_lazy("Record contact"),
        about=person,
        back=f"{reverse('worklist')}?{urlencode({'mode': debtor.person.realm.mode})}",
        form=ContactForm(colleague.form_data, row=overdue),
        preview=partial(_contact_preview, debtor, overdue),
        run=partial(_log_contact, colleague, debtor),
        template="office/debtor.html",
        debtor=debtor,
        orders=[(row, collection_contacts.HOLD_LABELS.get(row.hold, "")) for row in overdue],
        contacts=[(row, *_contact_labels(row)) for row in contact_rows],
        names=usernames_of({row.by for row in contact_rows}),
    )


def _contact_preview(debtor: Debtor, overdue: list[OverdueOrder]) -> StrOrPromise:
    """How often the customer was contacted today.

    Raises:
        NothingOverdue, ContactNotAllowed, OutsideHours, TooManyContacts: a contact may not be made now.
    """
    if not overdue:
        raise NothingOverdue
    if debtor.next_contact_at is None:
        raise ContactNotAllowed.with_reasons(
            [collection_contacts.HOLD_LABELS[reason] for reason in dict.fromkeys(row.hold for row in overdue)]
        )
    person = debtor.person
    contacted = contacts.contacts_today({person.id: person.zone}, at=debtor.now)[person.id]
    try:
        contacts.check_contact_allowed(person, contacted, at=debtor.now)
    except OutsideHours:
        contacts.check_contact_allowed(person, contacted, at=debtor.now - collection_contacts.LOG_WITHIN)
        return _("Outside contact hours. Contacts made within the last hour can still be recorded.")
    message = _("Contacted %(n)d times today, including automatic notices; the maximum is three.")
    return message % {"n": len(contacted)}


def _log_contact(colleague: Colleague, debtor: Debtor, data: dict[str, Any]) -> StrOrPromise:
    order_id = ids.parse("ord", data["order"]) if data["order"] else None
    contact = NewContact(
        way=data["way"],
        outcome=data["outcome"],
        order_id=order_id,
        promised_on=data["promised_on"],
        note=data["note"],
    )
    ago, now = timedelta(minutes=data["minutes"]), debtor.person.realm.now(colleague.at)
    row = collection_contacts.log_contact(debtor.person.pk, contact, ago=ago, by=colleague.actor, at=now)
    return _("Recorded at %(at)s.") % {"at": plain_datetime(row.at)}


def _contact_labels(row: Contact | None) -> tuple[StrOrPromise, StrOrPromise]:
    return (WAY_LABELS[row.way], OUTCOME_LABELS[row.outcome]) if row else ("", "")
