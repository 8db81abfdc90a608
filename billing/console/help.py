"""What people ask help with, at a desk: the queue, one concern with all that was said, and the verbs that decide it."""

from collections.abc import Callable
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

from billing.console.orders import CLOCK, frees_fees
from kernel import ids
from kernel.actor import Actor
from kernel.actor_names import names_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, Desk, Verb, VerbForm, Words, page
from kernel.forms import minor_of
from kernel.money import totals
from kernel.templatetags.house import money
from orders import queries, rules
from orders import services as orders
from orders.models import Concern, Message, Order
from orders.refusals import ConcernClosed, NothingToEase, OrderState
from orders.rules import Offer

DESK = Desk("help_desk", gettext_lazy("Customer requests"), gettext_lazy("Problems, plans, objections"), VIEWERS)
SHOWN = 100


@require_safe
@page(*VIEWERS)
def queue(colleague: Colleague) -> HttpResponse:
    """Everything open, what has waited for us longest first."""
    rows = queries.concerns_open()[: SHOWN + 1]
    return colleague.show("console/concerns.html", DESK.label, rows=list(rows)[:SHOWN], more=len(rows) > SHOWN)


@require_safe
@page(*VIEWERS)
def concern(colleague: Colleague, concern: str) -> HttpResponse:
    """One of them: what it is about, what was said, what can be done."""
    key = ids.parse(Concern.prefix, concern)
    found = queries.concerns_open(closed=True).filter(pk=key).first() if key else None
    if found is None:
        raise Http404
    said = list(found.messages.order_by("id"))
    return colleague.show(
        "console/concern.html",
        DESK.label,
        concern=found,
        said=said,
        names=names_of(row.by for row in said),
        paused=queries.stands_still(found),
        earlier=queries.concerns_of(found.person_id).exclude(pk=found.pk)[:10],
    )


class AnswerForm(VerbForm):
    """What the person is told. It is the reason, too."""

    note = forms.CharField(
        label=gettext_lazy("Reply to the customer"),
        max_length=rules.TEXT_MAX,
        help_text=gettext_lazy("The customer will see exactly this text."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )


class LowerForm(AnswerForm):
    """How much the order comes to from now on."""

    total = forms.CharField(label=gettext_lazy("New total"))

    def clean_total(self) -> int:
        found = minor_of(self.cleaned_data["total"], self.row.order.currency)
        if found is None:
            raise forms.ValidationError(_("An amount such as 12.34."))
        return found


class GrantForm(AnswerForm):
    """The plan, as it was asked for or otherwise."""

    parts = forms.IntegerField(
        label=gettext_lazy("Number of instalments"), min_value=1, max_value=rules.STAFF_PARTS_MAX
    )
    every_days = forms.IntegerField(
        label=gettext_lazy("Days between instalments"), min_value=1, max_value=rules.STAFF_DAYS_MAX
    )

    def __init__(self, *args: Any, row: Concern, **kwargs: Any) -> None:
        super().__init__(*args, row=row, initial=row.plan, **kwargs)


class AgainForm(AnswerForm):
    """Points that were taken wrongly and are given back first."""

    points = forms.IntegerField(
        label=gettext_lazy("Points to restore"), min_value=0, max_value=100, initial=0, required=False
    )


def _kind(kind: str) -> Callable[[Concern], bool]:
    def fits(row: Concern) -> bool:
        return row.kind == kind

    return fits


def _open(row: Concern) -> Concern:
    """The concern, while something can be decided about it.

    Raises:
        ConcernClosed: it is over.
    """
    if row.state != Concern.State.OPEN:
        raise ConcernClosed
    return row


def _reported(row: Concern) -> Order:
    order = _open(row).order
    if order is None:
        raise OrderState
    return order


def _before_answer(row: Concern, at: datetime) -> Words:
    del at
    _open(row)
    return _("Stays open, waiting for the customer.")


def _answer(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    orders.say(key, wish["note"], author=Message.Author.STAFF, by=by, at=at)
    return _("The customer has been notified.")


def _before_resume(row: Concern, at: datetime) -> Words:
    del at
    _reported(row)
    return _("Closes the report; the order does not change. An order paused by it resumes.")


def _books(row: Concern) -> Q:
    return Q(order_id=row.order_id)


def _with_order(row: Concern) -> dict[str, Any]:
    """It is agreed to as the report and its order stood when it was asked for."""
    order = _reported(row)
    return {"state": row.state, "version": f"{row.version} · {order.version}"}


def _frees_fees(row: Concern, wish: Any) -> bool:
    return row.order is not None and frees_fees(row.order, wish)


def _to_nothing(row: Concern, wish: Any) -> bool:
    return bool(wish.get("total") == 0) and _frees_fees(row, wish)


def _before_lower(row: Concern, at: datetime) -> Words:
    del at
    order = _reported(row)
    says = _("Current total: %(total)s. Once reduced, it cannot be raised again.")
    return says % {"total": money(order.total)}


def _before_cancel(row: Concern, at: datetime) -> Words:
    del at
    order = _reported(row)
    says = _("Cancels the order; %(total)s is no longer owed. Only possible while nothing has been paid.")
    return says % {"total": money(order.total)}


def _decide(outcome: str) -> Callable[[UUID, dict[str, Any], Actor, datetime], Words]:
    def run(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
        orders.decide_report(key, outcome, wish["note"], total_minor=wish.get("total"), by=by, at=at)
        return _("Decided. The customer has been notified.")

    return run


def _before_grant(row: Concern, at: datetime) -> Words:
    del at
    found = list(queries.easeable(_open(row).person_id, row.order_id).order_by("due_at"))
    sums = totals(debt.owed for debt in queries.free_of(found))
    if not sums:
        raise NothingToEase
    says = _("%(sum)s is split into instalments at no extra cost; overdue amounts restart under the plan's dates.")
    return says % {"sum": " + ".join(map(money, sums))}


def _grant(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    orders.grant_ease(key, Offer(wish["parts"], wish["every_days"]), wish["note"], by=by, at=at)
    return _("The plan is in effect. The customer has been notified.")


def _before_refuse(row: Concern, at: datetime) -> Words:
    del at
    _open(row)
    return _("The debt stays unchanged.")


def _refuse(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    orders.refuse_ease(key, wish["note"], by=by, at=at)
    return _("Decided. The customer has been notified.")


def _before_uphold(row: Concern, at: datetime) -> Words:
    del at
    _open(row)
    return _("The decision to decline is upheld.")


def _uphold(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    orders.decide_objection(key, wish["note"], again=False, by=by, at=at)
    return _("Decided. The customer has been notified.")


def _before_again(row: Concern, at: datetime) -> Words:
    del at
    _open(row)
    return _("Reassesses based on the current situation. Both decisions are kept; nothing is opened automatically.")


def _again(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    points = wish.get("points") or 0
    made = orders.decide_objection(key, wish["note"], again=True, points=points, by=by, at=at)
    return _("Reassessed: approved.") if made and made.approved else _("Reassessed: still declined.")


def _back(row: Concern) -> str:
    return reverse("concern_desk", args=[row.public_id])


_PROBLEM, _HARDSHIP, _OBJECTION = map(_kind, (Concern.Kind.PROBLEM, Concern.Kind.HARDSHIP, Concern.Kind.OBJECTION))
PLANS, JUDGES = ("collections", "supervisor"), ("risk", "supervisor")
VERBS = [
    Verb("answer", Concern, gettext_lazy("Reply and keep open"), CLOCK, _before_answer, _answer, AnswerForm,
         back=_back),
    Verb("close", Concern, gettext_lazy("Close, order unchanged"), CLOCK, _before_resume,
         _decide(Concern.Outcome.RESUMED), AnswerForm, _PROBLEM, _back),
    Verb("lower", Concern, gettext_lazy("Reduce the total"), ("support", "supervisor"), _before_lower,
         _decide(Concern.Outcome.LOWERED), LowerForm, _PROBLEM, _back, _books, _to_nothing, stands=_with_order),
    Verb("call_off", Concern, gettext_lazy("Cancel the customer's order"), ("support", "supervisor"), _before_cancel,
         _decide(Concern.Outcome.CANCELLED), AnswerForm, _PROBLEM, _back, _books, _frees_fees, stands=_with_order),
    Verb("grant", Concern, gettext_lazy("Grant a plan"), PLANS, _before_grant, _grant, GrantForm, _HARDSHIP, _back),
    Verb("refuse", Concern, gettext_lazy("Refuse"), PLANS, _before_refuse, _refuse, AnswerForm, _HARDSHIP, _back),
    Verb("uphold", Concern, gettext_lazy("Uphold decision"), JUDGES, _before_uphold, _uphold, AnswerForm,
         _OBJECTION, _back),
    Verb("judge_again", Concern, gettext_lazy("Reassess"), JUDGES, _before_again, _again, AgainForm, _OBJECTION,
         _back),
]  # fmt: skip
