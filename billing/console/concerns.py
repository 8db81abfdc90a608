"""Customer requests: the page of one, and the row actions that answer and decide them."""

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

from billing.console.order_actions import (
    PAUSE_GROUPS,
    ending_needs_approval,
    is_owed,
    reduction_needs_approval,
    reduction_preview,
)
from billing.console.order_changes import MONEY_GROUPS, is_cancellable
from billing.console.order_refunds import is_refundable
from kernel import ids
from kernel.actor import Actor
from kernel.actor_names import usernames_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, ReasonForm, RowAction, StrOrPromise, console_page
from kernel.forms import parse_minor
from kernel.money import sum_by_currency
from kernel.templatetags.formatting import money
from orders import queries, rules
from orders import services as orders
from orders.models import Concern, Message, Order
from orders.refusals import ConcernClosed, NothingToReschedule, OrderState
from orders.rules import PlanOffer


@require_safe
@console_page(*VIEWERS)
def concern(colleague: Colleague, concern: str) -> HttpResponse:
    """A request with its messages and the available actions."""
    key = ids.parse(Concern.prefix, concern)
    found = queries.concern_queue(include_closed=True).filter(pk=key).first() if key else None
    if found is None:
        raise Http404
    colleague.audit("viewed.concern", concern)
    thread_messages = list(found.messages.order_by("id"))
    return colleague.render(
        "console/concern.html",
        gettext_lazy("Customer requests"),
        concern=found,
        thread_messages=thread_messages,
        names=usernames_of(row.by for row in thread_messages),
        paused=queries.is_order_paused(found),
        refund_url=_refund_url(colleague, found),
        earlier=queries.concerns_of(found.person_id).exclude(pk=found.pk)[:10],
    )


def _refund_url(colleague: Colleague, row: Concern) -> str:
    """The refund action of the order a problem report is about; "" if it cannot be refunded, or not by them."""
    is_open_report = row.kind == Concern.Kind.PROBLEM and row.state == Concern.State.OPEN
    if not is_open_report or row.order is None or not is_refundable(row.order):
        return ""
    return reverse("verb", args=[row.order.public_id, "refund"]) if colleague.is_in_groups(MONEY_GROUPS) else ""


class AnswerForm(ReasonForm):
    """The reply to the customer, which is also the recorded reason."""

    is_note_erasable = True
    note = forms.CharField(
        label=gettext_lazy("Reply to the customer"),
        max_length=rules.TEXT_MAX,
        help_text=gettext_lazy("The customer will see exactly this text."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )


class ReduceForm(AnswerForm):
    """The reduced total of the order."""

    total = forms.CharField(label=gettext_lazy("New total"))

    def clean_total(self) -> int:
        total_minor = parse_minor(self.cleaned_data["total"], self.row.order.currency)
        if total_minor is None:
            raise forms.ValidationError(_("An amount such as 12.34."))
        return total_minor


class GrantPlanForm(AnswerForm):
    """The plan to grant, initially as requested."""

    parts = forms.IntegerField(
        label=gettext_lazy("Number of instalments"), min_value=1, max_value=rules.STAFF_PARTS_MAX
    )
    every_days = forms.IntegerField(
        label=gettext_lazy("Days between instalments"), min_value=1, max_value=rules.STAFF_DAYS_MAX
    )

    def __init__(self, *args: Any, row: Concern, **kwargs: Any) -> None:
        super().__init__(*args, row=row, initial=row.plan, **kwargs)


class ReassessForm(AnswerForm):
    """Score points to restore before reassessing."""

    points = forms.IntegerField(
        label=gettext_lazy("Points to restore"), min_value=0, max_value=100, initial=0, required=False
    )


def _is_of_kind(kind: str) -> Callable[[Concern], bool]:
    def fits(row: Concern) -> bool:
        return row.kind == kind

    return fits


def _require_open(row: Concern) -> Concern:
    """The concern, if it is open.

    Raises:
        ConcernClosed: it is over.
    """
    if row.state != Concern.State.OPEN:
        raise ConcernClosed
    return row


def _order_of(row: Concern) -> Order:
    order = _require_open(row).order
    if order is None:
        raise OrderState
    return order


def _preview_answer(row: Concern, at: datetime) -> StrOrPromise:
    del at
    _require_open(row)
    return _("Stays open, waiting for the customer.")


def _answer(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    orders.add_message(key, data["note"], author=Message.Author.STAFF, by=by, at=at)
    return _("The customer has been notified.")


def _preview_close(row: Concern, at: datetime) -> StrOrPromise:
    del at
    _order_of(row)
    return _("Closes the report; the order does not change. An order paused by it resumes.")


def _posting_filter(row: Concern) -> Q:
    return Q(order_id=row.order_id)


def _snapshot(row: Concern) -> dict[str, Any]:
    """The state that an approval is bound to: the report's and its order's."""
    order = _order_of(row)
    return {"state": row.state, "version": f"{row.version} · {order.version}"}


def _ending_needs_approval(row: Concern, data: Any) -> bool:
    return row.order is not None and ending_needs_approval(row.order, data)


def _reduction_needs_approval(row: Concern, data: Any) -> bool:
    return row.order is not None and reduction_needs_approval(row.order, data)


def _preview_reduce(row: Concern, at: datetime) -> StrOrPromise:
    del at
    return reduction_preview(_order_of(row))


def _preview_cancel(row: Concern, at: datetime) -> StrOrPromise:
    del at
    order = _order_of(row)
    text = _("Cancels the order; %(total)s is no longer owed. Only possible while nothing has been paid.")
    return text % {"total": money(order.total)}


def _decide(outcome: str) -> Callable[[UUID, dict[str, Any], Actor, datetime], StrOrPromise]:
    def run(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
        orders.decide_report(key, outcome, data["note"], total_minor=data.get("total"), by=by, at=at)
        return _("Decided. The customer has been notified.")

    return run


def _preview_grant(row: Concern, at: datetime) -> StrOrPromise:
    del at
    obligations = list(queries.owed_obligations(_require_open(row).person_id, row.order_id).order_by("due_at"))
    sums = sum_by_currency(debt.owed for debt in queries.plannable_obligations(obligations))
    if not sums:
        raise NothingToReschedule
    text = _("%(sum)s is split into instalments at no extra cost; overdue amounts restart under the plan's dates.")
    return text % {"sum": " + ".join(map(money, sums))}


def _grant(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    orders.grant_plan(key, PlanOffer(data["parts"], data["every_days"]), data["note"], by=by, at=at)
    return _("The plan is in effect. The customer has been notified.")


def _preview_refuse(row: Concern, at: datetime) -> StrOrPromise:
    del at
    _require_open(row)
    return _("The debt stays unchanged.")


def _refuse(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    orders.refuse_plan(key, data["note"], by=by, at=at)
    return _("Decided. The customer has been notified.")


def _preview_uphold(row: Concern, at: datetime) -> StrOrPromise:
    del at
    _require_open(row)
    return _("The decision to decline is upheld.")


def _uphold(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    orders.decide_objection(key, data["note"], reassess=False, by=by, at=at)
    return _("Decided. The customer has been notified.")


def _preview_reassess(row: Concern, at: datetime) -> StrOrPromise:
    del at
    _require_open(row)
    return _("Reassesses based on the current situation. Both decisions are kept; nothing is opened automatically.")


def _reassess(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    points = data.get("points") or 0
    result = orders.decide_objection(key, data["note"], reassess=True, points=points, by=by, at=at)
    return _("Reassessed: approved.") if result and result.approved else _("Reassessed: still declined.")


def _can_lower(row: Concern) -> bool:
    return row.order is not None and is_owed(row.order)


def _can_cancel(row: Concern) -> bool:
    return row.order is not None and is_cancellable(row.order)


def _back_url(row: Concern) -> str:
    return reverse("concern_desk", args=[row.public_id])


_PROBLEM = _is_of_kind(Concern.Kind.PROBLEM)
_HARDSHIP = _is_of_kind(Concern.Kind.HARDSHIP)
_OBJECTION = _is_of_kind(Concern.Kind.OBJECTION)
REDUCE_GROUPS, PLAN_GROUPS, REVIEWERS = ("support", "supervisor"), ("collections", "supervisor"), ("risk", "supervisor")
ROW_ACTIONS = [
    RowAction("answer", Concern, gettext_lazy("Reply and keep open"), PAUSE_GROUPS, _preview_answer, _answer,
              AnswerForm, back_url=_back_url),
    RowAction("close", Concern, gettext_lazy("Close, order unchanged"), PAUSE_GROUPS, _preview_close,
              _decide(Concern.Outcome.RESUMED), AnswerForm, _PROBLEM, _back_url),
    RowAction("lower", Concern, gettext_lazy("Reduce the total"), REDUCE_GROUPS, _preview_reduce,
              _decide(Concern.Outcome.LOWERED), ReduceForm, _PROBLEM, _back_url, _posting_filter,
              _reduction_needs_approval, snapshot=_snapshot, is_offered=_can_lower),
    RowAction("call_off", Concern, gettext_lazy("Cancel the customer's order"), REDUCE_GROUPS, _preview_cancel,
              _decide(Concern.Outcome.CANCELLED), AnswerForm, _PROBLEM, _back_url, _posting_filter,
              _ending_needs_approval, snapshot=_snapshot, is_offered=_can_cancel),
    RowAction("grant", Concern, gettext_lazy("Grant a plan"), PLAN_GROUPS, _preview_grant, _grant, GrantPlanForm,
              _HARDSHIP, _back_url),
    RowAction("refuse", Concern, gettext_lazy("Refuse"), PLAN_GROUPS, _preview_refuse, _refuse, AnswerForm,
              _HARDSHIP, _back_url),
    RowAction("uphold", Concern, gettext_lazy("Uphold decision"), REVIEWERS, _preview_uphold, _uphold, AnswerForm,
              _OBJECTION, _back_url),
    RowAction("judge_again", Concern, gettext_lazy("Reassess"), REVIEWERS, _preview_reassess, _reassess, ReassessForm,
              _OBJECTION, _back_url),
]  # fmt: skip
