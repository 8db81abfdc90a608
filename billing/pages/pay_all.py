"""Everything a person owes, over all merchants, and paying it, or what they choose of it, at once."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, for_person
from billing import purse, queries
from billing.models import Deduction, Instrument
from billing.refusals import AmountChanged, AmountInvalid, NoInstrument
from billing.services import pay
from kernel import ids
from kernel.forms import SENT_BEFORE, first_time, keep_outcome, new_token, outcome_of
from kernel.money import Money, totals
from kernel.refusal import Refusal
from orders.models import Obligation, Order

#: A sum as the form carries it: minor units and currency.
_SUM = re.compile(r"([0-9]{1,18}) ([A-Z]{3})")


@dataclass(frozen=True, slots=True)
class Debt:
    """What is owed of one order: of what was bought, and in late fees."""

    order: Order
    parts: Sequence[Obligation]

    @property
    def bought(self) -> Money:
        return self._owed(fees=False)

    @property
    def fee(self) -> Money:
        return self._owed(fees=True)

    @property
    def first(self) -> Obligation:
        """The part that was due first."""
        return self.parts[0]

    def _owed(self, *, fees: bool) -> Money:
        owed = (row.owed.minor for row in self.parts if (row.kind == Obligation.Kind.LATE_FEE) == fees)
        return Money(sum(owed), self.order.currency)


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def pay_all(visitor: Visitor) -> HttpResponse:
    """What is owed, the oldest first, and the one button that pays it."""
    if visitor.request.method != "POST":
        asked = visitor.request.GET
        return _shown(visitor, _chosen(asked.getlist("order"), some="some" in asked))
    chosen = _chosen(visitor.request.POST.getlist("order"))
    try:
        instrument_id, expected = _asked(visitor)
        if not first_time(visitor.person.id, visitor.sent("token"), "pay_all"):
            return _again(visitor)
        made = pay.pay_all(
            visitor.person.id,
            order_ids=chosen,
            instrument_id=instrument_id,
            expected=expected,
            by=visitor.actor,
            at=visitor.at,
        )
    except AmountInvalid:
        return _shown(visitor, chosen, refusal=AmountChanged())  # nothing is owed any more, or all is under way
    except Refusal as refusal:
        return _shown(visitor, chosen, refusal=refusal)
    names = urlencode([("of", row.public_id) for row in made])
    keep_outcome(visitor.person.id, visitor.sent("token"), names)
    return redirect(f"{reverse('paid_all')}?{names}")


@require_safe
@for_person
def paid_all(visitor: Visitor) -> HttpResponse:
    """How each deduction named ended, or that nobody knows yet."""
    named = (ids.parse(Deduction.prefix, name) for name in visitor.request.GET.getlist("of"))
    made = queries.deductions_of(visitor.person.id, [key for key in named if key is not None])
    if not made:
        return redirect("pay_all")
    debts = queries.debts_of(visitor.person.id)
    return visitor.show(
        "billing/paid_all.html",
        deductions=made,
        unknown=any(row.state in Deduction.LIVE for row in made),
        left=totals(row.owed for row in debts if _offered(row)),
    )


def _chosen(names: Sequence[str], *, some: bool = False) -> set[UUID] | None:
    """The orders that were ticked; None where nobody chose (`some`) and none was named, which means all of them."""
    keys = (ids.parse(Order.prefix, name) for name in names)
    return {key for key in keys if key is not None} if names or some else None


def _again(visitor: Visitor) -> HttpResponse:
    """The second click of two: what the first one came to, or how things stand meanwhile."""
    names = outcome_of(visitor.person.id, visitor.sent("token"))
    if names:
        return redirect(f"{reverse('paid_all')}?{names}")
    messages.info(visitor.request, SENT_BEFORE)
    return redirect("pay_all")


def _asked(visitor: Visitor) -> tuple[UUID, list[Money]]:
    """From where, and how much of each currency the page had said.

    Raises:
        NoInstrument, AmountChanged: the form does not say it.
        WalletTooLow: their wallet does not hold it.
    """
    instrument_id = ids.parse(Instrument.prefix, visitor.sent("instrument"))
    if instrument_id is None:
        raise NoInstrument
    sums = [_SUM.fullmatch(text) for text in visitor.request.POST.getlist("sum")]
    if not all(sums):
        raise AmountChanged
    expected = [Money(int(found[1]), found[2]) for found in sums if found]
    purse.check_wallet(visitor.person.id, instrument_id, expected)
    return instrument_id, expected


def _shown(visitor: Visitor, chosen: set[UUID] | None, *, refusal: Refusal | None = None) -> HttpResponse:
    """Everything that can be paid, and the sum of what is chosen of it: an order is paid whole or not at all here."""
    person_id = visitor.person.id
    debts = queries.debts_of(person_id)
    free = [row for row in debts if _offered(row)]
    wanted = [row for row in free if chosen is None or row.order_id in chosen]
    return visitor.show(
        "billing/pay_all.html",
        status=refusal.status if refusal else 200,
        debts=_by_order(free),
        wanted=_by_order(wanted),
        ticked={row.order_id for row in wanted},
        under_way=_by_order(row for row in debts if row.in_flight),
        still=_by_order(row for row in debts if row.paused_at and not row.in_flight),
        sums=totals(row.owed for row in wanted),
        bought=totals(row.owed for row in wanted if row.kind != Obligation.Kind.LATE_FEE),
        fees=totals(row.owed for row in wanted if row.kind == Obligation.Kind.LATE_FEE),
        instruments=queries.instruments_of([person_id]).get(person_id, []),
        balance=queries.balance_of(person_id),
        closed=purse.closed_to(person_id),
        token=new_token(),
        refusal=refusal,
        chosen=visitor.sent("instrument"),
    )


def _offered(row: Obligation) -> bool:
    """What is being collected, and what stands still, is not paid with the rest."""
    return row.in_flight is None and row.paused_at is None


def _by_order(rows: Iterable[Obligation]) -> list[Debt]:
    """What is owed of each order, in the order in which the first part of it was due."""
    found: dict[UUID, list[Obligation]] = {}
    for row in rows:
        found.setdefault(row.order_id, []).append(row)
    return [Debt(parts[0].order, parts) for parts in found.values()]
