"""/ops/collections/: who owes what is overdue, whom to ask first; and one person, with what was asked so far."""

from datetime import datetime, timedelta
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
from accounts.contacts import Made
from accounts.models import Contact, Person
from accounts.refusals import OutsideHours
from kernel import ids
from kernel.actor_names import names_of
from kernel.console_actions import Colleague, Desk, VerbForm, Words, deed, page
from kernel.templatetags.house import written
from office.queries import worklist
from office.queries.worklist import Debtor, Late
from office.refusals import MayNotBeAsked, NothingOverdue
from office.rules import BUCKETS
from office.services import contacting
from office.worlds import MODES, mode_of

COLLECTORS = ("collections", "supervisor")
DESK = Desk("worklist", gettext_lazy("Collections"), gettext_lazy("Overdue customers, by contact priority"), COLLECTORS)
LOG_SHOWN = 100
WAYS: dict[str, Words] = {
    Contact.Way.CALL: gettext_lazy("Call"),
    Contact.Way.TEXT: gettext_lazy("Text message"),
    Contact.Way.LETTER: gettext_lazy("Letter"),
    Contact.Way.VISIT: gettext_lazy("Visit"),
}
OUTCOMES: dict[str, Words] = {
    Contact.Outcome.REACHED: gettext_lazy("Reached"),
    Contact.Outcome.NOT_REACHED: gettext_lazy("Not reached"),
    Contact.Outcome.PROMISED: gettext_lazy("Promised to pay"),
    Contact.Outcome.DISPUTES: gettext_lazy("Disputes the debt"),
    Contact.Outcome.HARDSHIP: gettext_lazy("Requests a payment plan"),
    Contact.Outcome.WRONG_NUMBER: gettext_lazy("Wrong number"),
}


class ContactForm(VerbForm):
    """How they were asked, for what, when, and what came of it."""

    note = forms.CharField(
        label=gettext_lazy("Messages"),
        max_length=contacting.NOTE_MAX,
        help_text=gettext_lazy("The customer can see this in a copy of their data."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    way = forms.ChoiceField(label=gettext_lazy("Contact channel"), choices=list(WAYS.items()))
    order = forms.ChoiceField(label=gettext_lazy("For which debt"), required=False)
    minutes = forms.IntegerField(
        label=gettext_lazy("Minutes ago"),
        min_value=0,
        max_value=contacting.NOTED_WITHIN // timedelta(minutes=1),
        initial=0,
    )
    outcome = forms.ChoiceField(label=gettext_lazy("Outcome of the request"), choices=list(OUTCOMES.items()))
    promised_on = forms.DateField(
        label=gettext_lazy("Promised to pay by"),
        required=False,
        help_text=gettext_lazy("Only if the customer promised to pay."),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )

    def __init__(self, *args: Any, row: list[Late], **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        free = [
            (late.order.public_id, f"{late.order.title} · {late.order.merchant.name}")
            for late in row
            if not late.held_by
        ]
        self.fields["order"].choices = [("", _("Everything that is overdue")), *free]  # type: ignore[attr-defined]


@require_safe
@page(*COLLECTORS)
def work(colleague: Colleague) -> HttpResponse:
    """Those who broke a promise first, then those whose oldest debt is of one age, the oldest first."""
    given = colleague.request.GET
    mode = mode_of(given)
    bucket = next((name for name in BUCKETS if name == given.get("bucket")), BUCKETS[0])
    after = ids.bare(given["after"]) if "after" in given else None
    if "after" in given and after is None:
        raise Http404
    broken = worklist.broken(mode, colleague.at)
    keys, more = worklist.late_people(mode, bucket, after, broken)
    first = [] if after else broken
    rows = worklist.debtors([*first, *keys], colleague.at, promises_broken=broken)
    params = {"mode": mode, "bucket": bucket}
    return colleague.show(
        "office/worklist.html",
        DESK.label,
        rows=[(row, _last(row.last)) for row in rows],
        ages=[(name, urlencode(params | {"bucket": name})) for name in BUCKETS],
        buckets=[(one, urlencode(params | {"bucket": one.name})) for one in ([] if after else worklist.buckets(mode))],
        bucket=bucket,
        mode=mode,
        modes=[(name, label, urlencode(params | {"mode": name})) for name, label in MODES],
        more=urlencode(params | {"after": more.hex}) if more else "",
    )


@page(*COLLECTORS)
def debtor(colleague: Colleague, person: str) -> HttpResponse:
    """What they owe that is late, what was asked of them, and what came of it now."""
    key = ids.parse(Person.prefix, person)
    found = worklist.debtors([key], colleague.at) if key else []
    if not found:
        raise Http404
    (one,) = found
    if not colleague.posts:
        colleague.audit("viewed.debtor", person)
    late = worklist.late_orders(one.person.pk)
    log = list(Contact.objects.filter(person=one.person).order_by("-at", "-id")[:LOG_SHOWN])
    return deed(
        colleague,
        gettext_lazy("Record contact"),
        about=person,
        back=reverse("debtor", args=[person]),
        form=ContactForm(colleague.given, row=late),
        preview=partial(_before, one, late),
        run=partial(_log, colleague, one),
        template="office/debtor.html",
        one=one,
        orders=[(row, contacting.HELD.get(row.held_by, "")) for row in late],
        log=[(row, *_last(row)) for row in log],
        names=names_of({row.by for row in log}),
    )


def _before(one: Debtor, late: list[Late]) -> Words:
    """Whether they may be asked now; else why not."""
    if not late:
        raise NothingOverdue
    if one.next_at is None:
        raise MayNotBeAsked.because([contacting.HELD[reason] for reason in dict.fromkeys(row.held_by for row in late)])
    asked = contacts.asked_today({one.person.id: one.person.zone}, at=one.now)[one.person.id]
    try:
        contacts.may_be_asked(one.person, asked, at=one.now)
    except OutsideHours:
        contacts.may_be_asked(one.person, asked, at=one.now - contacting.NOTED_WITHIN)
        return _("Outside contact hours. Contacts made within the last hour can still be recorded.")
    says = _("Contacted %(n)d times today, including automatic notices; the maximum is three.")
    return says % {"n": len(asked)}


def _log(colleague: Colleague, one: Debtor, wish: dict[str, Any]) -> Words:
    order = ids.parse("ord", wish["order"]) if wish["order"] else None
    made = Made(
        way=wish["way"],
        outcome=wish["outcome"],
        order_id=order,
        promised_on=wish["promised_on"],
        note=wish["note"],
    )
    ago, now = timedelta(minutes=wish["minutes"]), _now(colleague, one)
    row = contacting.log_contact(one.person.pk, made, ago=ago, by=colleague.actor, at=now)
    return _("Recorded at %(at)s.") % {"at": written(row.at)}


def _now(colleague: Colleague, one: Debtor) -> datetime:
    return one.person.realm.now(colleague.at)


def _last(row: Contact | None) -> tuple[Words, Words]:
    return (WAYS[row.way], OUTCOMES[row.outcome]) if row else ("", "")
