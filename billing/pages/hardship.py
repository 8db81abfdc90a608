"""Hardship plans: choose one that is granted automatically, or request another one from staff."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.visitor import Visitor, person_page
from kernel.forms import new_form_token
from kernel.money import Money
from kernel.refusal import Invalid, NotFound, Refusal
from orders import queries, rules, services
from orders.models import Order
from orders.refusals import DebtChanged, PlanUnavailable
from orders.rules import PlanOffer

_AMOUNT = re.compile(r"([0-9]{1,18}) ([A-Z]{3})")
_OFFER = re.compile(r"([0-9]{1,2})x([0-9]{1,3})")
_get_or_post = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """An offered plan with its due dates and amounts if it were chosen now."""

    offer: PlanOffer
    days: Sequence[tuple[datetime, Sequence[Money]]]

    @property
    def value(self) -> str:
        return f"{self.offer.parts}x{self.offer.every_days}"


@_get_or_post
@person_page
def hardship(visitor: Visitor) -> HttpResponse:
    """Choose a plan for one order (`?order=`) or for everything owed. It takes effect at once."""
    order = _requested_order(visitor)
    if visitor.request.method != "POST":
        return _render(visitor, order)
    try:
        offer, expected = _parse_offer(visitor.posted("offer")), _posted_amounts(visitor)
        if not visitor.claim_submission("hardship"):
            return redirect("help")
        key, order_id = visitor.person.id, order.id if order else None
        with visitor.allow_resubmission():
            concern = services.choose_plan(key, order_id, offer, expected=expected, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _render(visitor, order, refusal=refusal)
    messages.success(visitor.request, _("Your payment plan is in effect. Nothing is deducted before its dates."))
    return redirect("concern", concern.public_id)


@_get_or_post
@person_page
def request_plan(visitor: Visitor) -> HttpResponse:
    """Request a plan that is not offered; staff decide."""
    order = _requested_order(visitor)
    if visitor.request.method != "POST":
        return redirect("hardship")
    try:
        offer = _parse_offer(f"{visitor.posted('parts')}x{visitor.posted('every_days')}")
        if not visitor.claim_submission("ask"):
            return redirect("help")
        key, order_id, text = visitor.person.id, order.id if order else None, visitor.posted("text")
        with visitor.allow_resubmission():
            concern = services.request_plan(key, order_id, offer, text, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _render(visitor, order, request_refusal=refusal)
    messages.success(visitor.request, _("We have received your request and will reply here."))
    return redirect("concern", concern.public_id)


def _requested_order(visitor: Visitor) -> Order | None:
    """The order named in the request, if any.

    Raises:
        NotFound: it is not one of the person's orders.
    """
    public_id = visitor.posted("order") or visitor.request.GET.get("order", "")
    return (
        queries.person_order_details(visitor.person.id, visitor.parse_id("ord", public_id)).order if public_id else None
    )


def _parse_offer(text: str) -> PlanOffer:
    """Parse the chosen plan, such as `3x30`.

    Raises:
        CannotEase: none was, or none of ours.
    """
    match = _OFFER.fullmatch(text)
    if match is None:
        raise PlanUnavailable
    return PlanOffer(int(match[1]), int(match[2]))


def _posted_amounts(visitor: Visitor) -> list[Money]:
    """The amounts owed as the submitted page showed them.

    Raises:
        DebtChanged: the form does not say it.
    """
    matches = [_AMOUNT.fullmatch(text) for text in visitor.request.POST.getlist("sum")]
    if not all(matches):
        raise DebtChanged
    return [Money(int(found[1]), found[2]) for found in matches if found]


def _build_preview(offer: PlanOffer, sums: Sequence[Money], zone: str, at: datetime) -> PlanPreview:
    parts = [[Money(part, sum_.currency) for part in rules.split_evenly(sum_.minor, offer.parts)] for sum_ in sums]
    return PlanPreview(offer, list(zip(rules.instalment_dates(offer, at, zone), zip(*parts, strict=True), strict=True)))


def _render(
    visitor: Visitor, order: Order | None, *, refusal: Refusal | None = None, request_refusal: Refusal | None = None
) -> HttpResponse:
    options = queries.plan_options_for(visitor.person.id, order.id if order else None, at=visitor.at)
    debts: dict[UUID, tuple[Order, list[Money]]] = {}
    for row in options.rows:
        debts.setdefault(row.order_id, (row.order, []))[1].append(row.owed)
    context: dict[str, Any] = {
        "order": order,
        "sums": options.sums,
        "owes": queries.owed_obligations(visitor.person.id, order.id if order else None).exists(),
        "debts": [(owing, sum(owed[1:], owed[0])) for owing, owed in debts.values()],
        "previews": [_build_preview(offer, options.sums, visitor.person.zone, visitor.at) for offer in options.offers],
        "has_recent_plan": options.has_recent_plan,
        "open_request": queries.open_plan_request(visitor.person.id),
        "parts_most": range(2, rules.STAFF_PARTS_MAX + 1),
        "spans": (7, 14, 30),
        "most": rules.TEXT_MAX,
        "token": new_form_token(),
        "ask_token": new_form_token(),
        "refusal": refusal,
        "request_refusal": request_refusal,
        "too_short": isinstance(request_refusal, Invalid),
        "chosen": visitor.posted("offer"),
        "chosen_parts": visitor.posted("parts"),
        "chosen_span": visitor.posted("every_days"),
        "typed": visitor.posted("text"),
    }
    any_refusal = refusal or request_refusal
    return visitor.render("orders/hardship.html", status=any_refusal.status if any_refusal else 200, **context)
