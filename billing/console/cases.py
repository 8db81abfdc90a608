"""Cases: what a channel said against itself or our book, with all that speaks for it, closed by whom it may concern."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from billing.case_words import told_of
from billing.console.orders import always
from billing.console.unknown import WordForm
from billing.models import Break, Case, StatementLine
from billing.services import cases
from billing.services.wallets import REFERENCE_MAX
from kernel import ids
from kernel.actor import Actor
from kernel.actor_names import names_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, Verb, VerbForm, Words, page
from kernel.templatetags.house import money
from ledger.models import Posting

JUDGES = ("finance", "supervisor")
SHOWN_MAX = 100
#: What is kept with a case beside its amount.
DETAIL: dict[str, Words] = {
    "txn": gettext_lazy("Channel transaction no."),
    "code": gettext_lazy("Channel code"),
    "asks": gettext_lazy("Queries"),
    "sends": gettext_lazy("Times sent"),
}


ENDS: dict[str, Words] = {
    Case.Resolution.RETURNED: gettext_lazy("The channel has corrected it; its balance is restored"),
    Case.Resolution.WALLET: gettext_lazy("Belongs to the customer: move to their wallet"),
    Case.Resolution.BY_HAND: gettext_lazy("Belonged to the customer and was paid manually"),
    Case.Resolution.MERCHANT: gettext_lazy("Belongs to the merchant: into their next settlement"),
    Case.Resolution.AHEAD: gettext_lazy("Treat as early refund: liability is decided with the return"),
    Case.Resolution.PLATFORM: gettext_lazy("Borne by us"),
    Case.Resolution.STANDS: gettext_lazy("Our ledger is correct as is"),
    Case.Resolution.SAID: gettext_lazy("Result determined by staff"),
}


@require_safe
@page(*VIEWERS)
def case(colleague: Colleague, case: str) -> HttpResponse:
    """What happened, the movement, every word of the channel's, the book, and how it may be closed."""
    key = ids.parse(Case.prefix, case)
    rows = Case.objects.select_related("realm", "deduction__person", "refund_part__refund", "payout__merchant")
    found = rows.filter(pk=key).first() if key else None
    if found is None or found.about is None:
        raise Http404
    about = found.about
    reports = list(about.reports.order_by("id")[:SHOWN_MAX])
    txns = {report.channel_txn for report in reports if report.channel_txn} | {str(found.detail.get("txn", ""))}
    return colleague.show(
        "console/case.html",
        told_of(found.kind).what,
        case=found,
        told=told_of(found.kind),
        end=ENDS.get(found.resolution, ""),
        amount=cases.at_stake(found),
        detail=[(DETAIL[name], value) for name, value in found.detail.items() if name in DETAIL],
        about=about,
        about_address=reverse(f"admin:{about._meta.app_label}_{about._meta.model_name}_change", args=[about.pk]),
        reports=reports,
        history=list(about.history.order_by("seq")[:SHOWN_MAX]),
        postings=list(Posting.objects.filter(Q(cause_id=found.pk)).order_by("id")),
        lines=list(StatementLine.objects.filter(channel_txn__in=txns - {""}).select_related("statement")[:SHOWN_MAX]),
        breaks=list(Break.objects.filter(_same(found)).order_by("id")[:SHOWN_MAX]),
        others=[(row, told_of(row.kind).what) for row in about.cases.exclude(pk=found.pk).order_by("id")[:SHOWN_MAX]],
        names=names_of([found.closed_by]),
    )


def _same(case: Case) -> Q:
    """Of the same movement."""
    if case.deduction_id:
        return Q(deduction_id=case.deduction_id)
    return Q(refund_part_id=case.refund_part_id) if case.refund_part_id else Q(pk__in=[])


class CloseForm(VerbForm):
    """How it ends: only what fits its kind can be chosen."""

    resolution = forms.ChoiceField(label=gettext_lazy("Resolution"))
    paid_as = forms.CharField(
        label=gettext_lazy("Bank transfer reference"),
        max_length=REFERENCE_MAX,
        required=False,
        help_text=gettext_lazy("Only if paid manually; requires two people."),
    )

    def __init__(self, *args: Any, row: Case, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        choices = [(end, ENDS[end]) for end in cases.ends_of(row)]
        several = [("", "–")] if len(choices) > 1 else []
        self.fields["resolution"].choices = [*several, *choices]  # type: ignore[attr-defined]  # it is a choice
        if Case.Resolution.BY_HAND not in dict(choices):
            del self.fields["paid_as"]


def _fits(row: Case) -> bool:
    return row.closed_at is None and row.about is not None and bool(cases.ends_of(row))


def _before(row: Case, at: datetime) -> Words:
    del at
    told, amount = told_of(row.kind), money(cases.at_stake(row))
    return f"{told.what}: {amount}. {told.look}"


def _close(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    paid_as = wish.get("paid_as", "")
    row = cases.close_case(key, wish["resolution"], wish["note"], paid_as=paid_as, by=by, at=at)
    return _("Case closed: %(how)s.") % {"how": ENDS[row.resolution]}


def _before_saying(row: Case, at: datetime) -> Words:
    del at
    says = _("The result for %(amount)s is unknown. Your decision is treated as the channel's answer.")
    return says % {"amount": money(cases.at_stake(row))}


def _say(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    cases.say_movement(key, txn=wish["txn"], evidence=wish["evidence"], reason=wish["note"], by=by, at=at)
    return _("The result has been recorded.")


class MovedForm(WordForm):
    """How money on its way out ended."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["outcome"].choices = [  # type: ignore[attr-defined]  # it is a choice
            ("", "–"),
            ("taken", gettext_lazy("The money arrived")),
            ("not_taken", gettext_lazy("The money did not arrive and never will under this number")),
        ]


def _is_large(row: Case, wish: Mapping[str, Any]) -> bool:
    return wish.get("resolution") == Case.Resolution.BY_HAND or cases.needs_second(row)


def _books(row: Case) -> Q:
    about = row.about
    return Q(cause_id=row.pk) | Q(cause_id=about.pk if about else row.pk)


def _back(row: Case) -> str:
    return reverse("case_desk", args=[row.public_id])


def _stands(row: Case) -> dict[str, Any]:
    state = row.about.state if row.about else ""
    return {"kind": row.kind, "state": state, "closed": row.closed_at is not None}


VERBS = [
    Verb(
        "close_case",
        Case,
        gettext_lazy("Close case"),
        JUDGES,
        _before,
        _close,
        CloseForm,
        fits=_fits,
        back=_back,
        books=_books,
        second=_is_large,
        deciders=JUDGES,
        stands=_stands,
        hold=cases.hold_case,
    ),
    Verb(
        "say_movement",
        Case,
        gettext_lazy("Determine result"),
        JUDGES,
        _before_saying,
        _say,
        MovedForm,
        fits=cases.sayable,
        back=_back,
        books=_books,
        second=always,
        deciders=JUDGES,
        stands=_stands,
        hold=cases.hold_case,
    ),
]
