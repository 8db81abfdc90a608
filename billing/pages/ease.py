"""Paying is hard: the plans that are granted at once, and asking a colleague for another one."""

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

from accounts.visitor import Visitor, for_person
from kernel.forms import new_token
from kernel.money import Money
from kernel.refusal import Invalid, NotFound, Refusal
from orders import queries, rules, services
from orders.models import Order
from orders.refusals import CannotEase, DebtChanged
from orders.rules import Offer

_SUM = re.compile(r"([0-9]{1,18}) ([A-Z]{3})")
_OFFER = re.compile(r"([0-9]{1,2})x([0-9]{1,3})")
_FORM = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan as it would be if it were chosen now: what is due on which day."""

    offer: Offer
    days: Sequence[tuple[datetime, Sequence[Money]]]

    @property
    def value(self) -> str:
        return f"{self.offer.parts}x{self.offer.every_days}"


@_FORM
@for_person
def hardship(visitor: Visitor) -> HttpResponse:
    """For one order (`?order=`) or everything that is owed: choose a plan, and it counts."""
    order = _order(visitor)
    if visitor.request.method != "POST":
        return _shown(visitor, order)
    try:
        offer, expected = _offer(visitor.sent("offer")), _sums(visitor)
        if not visitor.sends_first("hardship"):
            return redirect("help")
        key, order_id = visitor.person.id, order.id if order else None
        with visitor.sends_again():
            made = services.ease(key, order_id, offer, expected=expected, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _shown(visitor, order, refusal=refusal)
    messages.success(visitor.request, _("Your payment plan is in effect. Nothing is deducted before its dates."))
    return redirect("concern", made.public_id)


@_FORM
@for_person
def ask(visitor: Visitor) -> HttpResponse:
    """None of the plans fits: a colleague is asked for another."""
    order = _order(visitor)
    if visitor.request.method != "POST":
        return redirect("hardship")
    try:
        offer = _offer(f"{visitor.sent('parts')}x{visitor.sent('every_days')}")
        if not visitor.sends_first("ask"):
            return redirect("help")
        key, order_id, text = visitor.person.id, order.id if order else None, visitor.sent("text")
        with visitor.sends_again():
            made = services.ask_for_help(key, order_id, offer, text, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _shown(visitor, order, not_asked=refusal)
    messages.success(visitor.request, _("We have received your request and will reply here."))
    return redirect("concern", made.public_id)


def _order(visitor: Visitor) -> Order | None:
    """The order it is about, if it is about one.

    Raises:
        NotFound: it is not one of theirs.
    """
    named = visitor.sent("order") or visitor.request.GET.get("order", "")
    return queries.sheet_of(visitor.person.id, visitor.named("ord", named)).order if named else None


def _offer(text: str) -> Offer:
    """The plan that was chosen.

    Raises:
        CannotEase: none was, or none of ours.
    """
    found = _OFFER.fullmatch(text)
    if found is None:
        raise CannotEase
    return Offer(int(found[1]), int(found[2]))


def _sums(visitor: Visitor) -> list[Money]:
    """What the page had said is owed.

    Raises:
        DebtChanged: the form does not say it.
    """
    sums = [_SUM.fullmatch(text) for text in visitor.request.POST.getlist("sum")]
    if not all(sums):
        raise DebtChanged
    return [Money(int(found[1]), found[2]) for found in sums if found]


def _preview(offer: Offer, sums: Sequence[Money], zone: str, at: datetime) -> Preview:
    cut = [[Money(part, sum_.currency) for part in rules.split_evenly(sum_.minor, offer.parts)] for sum_ in sums]
    return Preview(offer, list(zip(rules.due_days(offer, at, zone), zip(*cut, strict=True), strict=True)))


def _shown(
    visitor: Visitor, order: Order | None, *, refusal: Refusal | None = None, not_asked: Refusal | None = None
) -> HttpResponse:
    easing = queries.easing_of(visitor.person.id, order.id if order else None, at=visitor.at)
    debts: dict[UUID, tuple[Order, list[Money]]] = {}
    for row in easing.rows:
        debts.setdefault(row.order_id, (row.order, []))[1].append(row.owed)
    shown: dict[str, Any] = {
        "order": order,
        "sums": easing.sums,
        "debts": [(owing, sum(owed[1:], owed[0])) for owing, owed in debts.values()],
        "previews": [_preview(offer, easing.sums, visitor.person.zone, visitor.at) for offer in easing.offers],
        "lately": easing.lately,
        "waiting": queries.asked_for_ease(visitor.person.id),
        "parts_most": range(2, rules.STAFF_PARTS_MAX + 1),
        "spans": (7, 14, 30),
        "most": rules.TEXT_MAX,
        "token": new_token(),
        "ask_token": new_token(),
        "refusal": refusal,
        "not_asked": not_asked,
        "too_short": isinstance(not_asked, Invalid),
        "chosen": visitor.sent("offer"),
        "chosen_parts": visitor.sent("parts"),
        "chosen_span": visitor.sent("every_days"),
        "typed": visitor.sent("text"),
    }
    wrong = refusal or not_asked
    return visitor.show("orders/hardship.html", status=wrong.status if wrong else 200, **shown)
