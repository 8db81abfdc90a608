"""Returns that their merchants refused: colleagues say who bears them. And the policy of who has money back ahead."""

from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.orders import bears_fees
from billing.models import Return, ReturnPolicy
from billing.services.return_ends import (
    bear_return,
    bearing_needs_second,
    begin_confirmation,
    confirming_needs_second,
    deny_return,
    went_ahead,
)
from billing.services.return_policy import foresee_trust, judge_return_terms
from kernel.actor import Actor
from kernel.desk import Colleague, Desk, Done, Verb, VerbForm, Words, page
from kernel.forms import YuanField, plain
from kernel.money import Money
from kernel.second import Plain
from kernel.shelf import Policy, matter_of_policy, publish_page
from kernel.templatetags.house import money

DECIDERS = ("support", "supervisor")
PUBLISHERS = ("supervisor", "risk")
DESK = Desk(
    "return_policy",
    gettext_lazy("Money back ahead of returns"),
    gettext_lazy("Who has it, how much, and how long a merchant may take to answer"),
    PUBLISHERS,
)


def _before(says: Words, row: Return, at: datetime) -> Words:
    """What the merchant said, and what would follow."""
    del at
    said = _("The merchant says: %(because)s.") % {"because": row.because}
    return f"{said} {str(says) % {'amount': money(row.amount)}}"


def _confirm(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Done:
    del wish
    return Done(_("The merchant bears it."), begin_confirmation(key, by=by, at=at))


def _gives_much(row: Return, wish: Any) -> bool:
    """Much goes back; or late fees fall away, where nothing of the order stays with its merchant."""
    del wish
    whole = row.amount >= row.order.total - row.order.refunded
    return (whole and bears_fees(row.order)) or confirming_needs_second(row)


def _costs_much(row: Return, wish: Any) -> bool:
    del wish
    return bearing_needs_second(row)


def _books(row: Return) -> Q:
    return Q(cause_id=row.pk)


def _deny(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    deny_return(key, wish["note"], by=by, at=at)
    return _("The return does not stand, and the person is told so.")


def _bear(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    bear_return(key, wish["note"], by=by, at=at)
    return _("We bear it.")


def _is_refused(row: Return) -> bool:
    return bool(row.state == Return.State.REFUSED)


def _is_ahead(row: Return) -> bool:
    return _is_refused(row) and bool(went_ahead(row))


VERBS = [
    Verb(
        "return_came",
        Return,
        gettext_lazy("The merchant bears it"),
        DECIDERS,
        partial(_before, gettext_lazy("%(amount)s are charged to them, as if they had confirmed it.")),
        _confirm,
        fits=_is_refused,
        second=_gives_much,
    ),
    Verb(
        "return_denied",
        Return,
        gettext_lazy("The return does not stand"),
        DECIDERS,
        partial(
            _before,
            gettext_lazy("What went back ahead of %(amount)s the person owes again; else the debt goes on as it was."),
        ),
        _deny,
        fits=_is_refused,
    ),
    Verb(
        "return_borne",
        Return,
        gettext_lazy("We bear the return"),
        DECIDERS,
        partial(_before, gettext_lazy("What went back ahead of %(amount)s is our loss; nobody owes anything.")),
        _bear,
        fits=_is_ahead,
        books=_books,
        second=_costs_much,
    ),
]


class ReturnTermsForm(VerbForm):
    """The terms, as they are in force, to be changed."""

    score_min = forms.IntegerField(label=gettext_lazy("Promise score at least"))
    ceiling_minor = YuanField(
        label=gettext_lazy("At most for one return"),
        help_text=gettext_lazy("In yuan; in another currency what a limit of that would be."),
    )
    open_max = forms.IntegerField(label=gettext_lazy("So many undecided at a time of one person"))
    within_days = forms.IntegerField(label=gettext_lazy("Days after its end an order may be sent back"))
    answer_days = forms.IntegerField(label=gettext_lazy("Days a merchant has to answer"))
    remind_days = forms.IntegerField(label=gettext_lazy("Days before their end on which they are reminded"))


def _terms(wish: Plain) -> Plain:
    return {name: wish[name] for name in ReturnTermsForm.base_fields if name != "note"}


def _fields(terms: Plain) -> Plain:
    return _terms(terms) | {"ceiling_minor": plain(Money(terms["ceiling_minor"]))}


def _foreseen(terms: Plain, at: datetime) -> Words:
    says = _(
        "Of %(looked_at)d returns of the last 90 days %(ahead)d had their money back ahead; by score and amount"
        " %(would)d would have."
    )
    return says % asdict(foresee_trust(terms, at=at))


POLICY = Policy(
    name="return_policy",
    label=DESK.label,
    matter=gettext_lazy("Publish who has money back ahead of returns"),
    model=ReturnPolicy,
    publishers=PUBLISHERS,
    form=ReturnTermsForm,
    fields=_fields,
    terms=_terms,
    judge=judge_return_terms,
    foresee=_foreseen,
)
MATTERS = [matter_of_policy(POLICY)]


@page(*PUBLISHERS)
def publish(colleague: Colleague) -> HttpResponse:
    """Another version counts for what is sent back from then on."""
    return publish_page(POLICY, colleague)
