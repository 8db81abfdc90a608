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
from kernel.console_actions import Colleague, Desk, Done, Verb, VerbForm, Words, page
from kernel.forms import YuanField, plain
from kernel.maker_checker import Plain
from kernel.money import Money
from kernel.policy_pages import Policy, matter_of_policy, publish_page
from kernel.templatetags.house import money

DECIDERS = ("support", "supervisor")
PUBLISHERS = ("supervisor", "risk")
DESK = Desk(
    "return_policy",
    gettext_lazy("Early refunds"),
    gettext_lazy("Who is eligible, the maximum amount and the merchant's deadline"),
    PUBLISHERS,
)


def _before(says: Words, row: Return, at: datetime) -> Words:
    """What the merchant said, and what would follow."""
    del at
    said = _("Merchant's reason: %(because)s.") % {"because": row.because}
    return f"{said} {str(says) % {'amount': money(row.amount)}}"


def _confirm(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Done:
    del wish
    return Done(_("Charged to the merchant."), begin_confirmation(key, by=by, at=at))


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
    return _("The return was not accepted; the customer has been notified.")


def _bear(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    bear_return(key, wish["note"], by=by, at=at)
    return _("Charged to the platform.")


def _is_refused(row: Return) -> bool:
    return bool(row.state == Return.State.REFUSED)


def _is_ahead(row: Return) -> bool:
    return _is_refused(row) and bool(went_ahead(row))


VERBS = [
    Verb(
        "return_came",
        Return,
        gettext_lazy("Borne by the merchant"),
        DECIDERS,
        partial(_before, gettext_lazy("%(amount)s is charged to the merchant, as if they had confirmed receipt.")),
        _confirm,
        fits=_is_refused,
        second=_gives_much,
    ),
    Verb(
        "return_denied",
        Return,
        gettext_lazy("Reject return"),
        DECIDERS,
        partial(
            _before,
            gettext_lazy(
                "The early-refunded part of %(amount)s is owed again by the customer; any remaining debt continues as"
                " before."
            ),
        ),
        _deny,
        fits=_is_refused,
    ),
    Verb(
        "return_borne",
        Return,
        gettext_lazy("Platform bears the return"),
        DECIDERS,
        partial(
            _before,
            gettext_lazy(
                "The early-refunded part of %(amount)s becomes a platform loss;"
                " neither the customer nor the merchant owes anything."
            ),
        ),
        _bear,
        fits=_is_ahead,
        books=_books,
        second=_costs_much,
    ),
]


class ReturnTermsForm(VerbForm):
    """The terms, as they are in force, to be changed."""

    score_min = forms.IntegerField(label=gettext_lazy("Minimum credit score"))
    ceiling_minor = YuanField(
        label=gettext_lazy("Maximum per return"),
        help_text=gettext_lazy("In yuan; other currencies use the equivalent limit."),
    )
    open_max = forms.IntegerField(label=gettext_lazy("Maximum undecided returns per customer"))
    within_days = forms.IntegerField(label=gettext_lazy("Return period after order end (days)"))
    answer_days = forms.IntegerField(label=gettext_lazy("Merchant's deadline (days)"))
    remind_days = forms.IntegerField(label=gettext_lazy("Reminder before the deadline (days)"))


def _terms(wish: Plain) -> Plain:
    return {name: wish[name] for name in ReturnTermsForm.base_fields if name != "note"}


def _fields(terms: Plain) -> Plain:
    return _terms(terms) | {"ceiling_minor": plain(Money(terms["ceiling_minor"]))}


def _foreseen(terms: Plain, at: datetime) -> Words:
    says = _(
        "Of %(looked_at)d returns in the last 90 days, %(ahead)d were refunded early; under the new score and"
        " amount rules, %(would)d would be."
    )
    return says % asdict(foresee_trust(terms, at=at))


POLICY = Policy(
    name="return_policy",
    label=DESK.label,
    matter=gettext_lazy("Publish early refund policy"),
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
