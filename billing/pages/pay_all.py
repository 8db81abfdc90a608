"""Pay all debts, or selected orders of any merchants, at once, and the result page."""

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

from accounts.visitor import Visitor, person_page
from billing import instrument_queries, queries
from billing.models import Deduction, Instrument
from billing.refusals import AmountChanged, AmountInvalid, NoInstrument
from billing.services import pay
from kernel import ids
from kernel.forms import ALREADY_SUBMITTED, claim_token, new_form_token, outcome_of, save_outcome
from kernel.money import Money, sum_by_currency
from kernel.refusal import Refusal
from orders.models import Obligation, Order

#: An amount in the form: minor units and currency.
_AMOUNT = re.compile(r"([0-9]{1,18}) ([A-Z]{3})")


@dataclass(frozen=True, slots=True)
class OrderDebt:
    """What is owed for one order, as principal and as late fees."""

    order: Order
    parts: Sequence[Obligation]

    @property
    def principal(self) -> Money:
        return self._owed(fees=False)

    @property
    def late_fees(self) -> Money:
        return self._owed(fees=True)

    @property
    def first_due(self) -> Obligation:
        """The obligation that was due first."""
        return self.parts[0]

    def _owed(self, *, fees: bool) -> Money:
        owed = (row.owed.minor for row in self.parts if (row.kind == Obligation.Kind.LATE_FEE) == fees)
        return Money(sum(owed), self.order.currency)


@require_http_methods(["GET", "HEAD", "POST"])
@person_page
def pay_all(visitor: Visitor) -> HttpResponse:
    """Show the debts, oldest first; POST pays those selected."""
    if visitor.request.method != "POST":
        params = visitor.request.GET
        return _render(visitor, _parse_selection(params.getlist("order"), is_selection="some" in params))
    order_ids = _parse_selection(visitor.request.POST.getlist("order"))
    try:
        instrument_id, expected = _parse_payment(visitor)
        if not claim_token(visitor.person.id, visitor.posted("token"), "pay_all"):
            return _repeat_response(visitor)
        deductions = pay.pay_all(
            visitor.person.id,
            order_ids=order_ids,
            instrument_id=instrument_id,
            expected=expected,
            by=visitor.actor,
            at=visitor.at,
        )
    except AmountInvalid:
        return _render(
            visitor, order_ids, refusal=AmountChanged()
        )  # nothing is owed any more, or everything is in flight
    except Refusal as refusal:
        return _render(visitor, order_ids, refusal=refusal)
    query = urlencode([("of", row.public_id) for row in deductions])
    save_outcome(visitor.person.id, visitor.posted("token"), query)
    return redirect(f"{reverse('paid_all')}?{query}")


@require_safe
@person_page
def paid_all(visitor: Visitor) -> HttpResponse:
    """The results of the deductions given by `?of=`. They may be unknown yet."""
    keys = (ids.parse(Deduction.prefix, name) for name in visitor.request.GET.getlist("of"))
    deductions = queries.pay_now_deductions(visitor.person.id, [key for key in keys if key is not None])
    if not deductions:
        return redirect("pay_all")
    debts = queries.debts_of(visitor.person.id)
    return visitor.render(
        "billing/paid_all.html",
        deductions=deductions,
        unknown=any(row.state in Deduction.LIVE for row in deductions),
        left=sum_by_currency(row.owed for row in debts if _is_payable(row)),
    )


def _parse_selection(names: Sequence[str], *, is_selection: bool = False) -> set[UUID] | None:
    """The selected orders; None, meaning all, if nothing was selected and `is_selection` is false."""
    keys = (ids.parse(Order.prefix, name) for name in names)
    return {key for key in keys if key is not None} if names or is_selection else None


def _repeat_response(visitor: Visitor) -> HttpResponse:
    """The response to a form sent twice: the result of the first submission if known, else the debts."""
    query = outcome_of(visitor.person.id, visitor.posted("token"))
    if query:
        return redirect(f"{reverse('paid_all')}?{query}")
    messages.info(visitor.request, ALREADY_SUBMITTED)
    return redirect("pay_all")


def _parse_payment(visitor: Visitor) -> tuple[UUID, list[Money]]:
    """The instrument, and the amount per currency that the page showed.

    Raises:
        NoInstrument, AmountChanged: the form has none.
        WalletTooLow: the wallet balance is too low.
    """
    instrument_id = ids.parse(Instrument.prefix, visitor.posted("instrument"))
    if instrument_id is None:
        raise NoInstrument
    matches = [_AMOUNT.fullmatch(text) for text in visitor.request.POST.getlist("sum")]
    if not all(matches):
        raise AmountChanged
    expected = [Money(int(found[1]), found[2]) for found in matches if found]
    instrument_queries.require_wallet_balance(visitor.person.id, instrument_id, expected)
    return instrument_id, expected


def _render(visitor: Visitor, order_ids: set[UUID] | None, *, refusal: Refusal | None = None) -> HttpResponse:
    """Render the payable debts and the total of the selected ones. Orders are paid in full here."""
    person_id = visitor.person.id
    debts = queries.debts_of(person_id)
    payable = [row for row in debts if _is_payable(row)]
    selected = [row for row in payable if order_ids is None or row.order_id in order_ids]
    return visitor.render(
        "billing/pay_all.html",
        status=refusal.status if refusal else 200,
        debts=_group_by_order(payable),
        selected=_group_by_order(selected),
        selected_ids={row.order_id for row in selected},
        in_flight=_group_by_order(row for row in debts if row.in_flight),
        paused=_group_by_order(row for row in debts if row.paused_at and not row.in_flight),
        sums=sum_by_currency(row.owed for row in selected),
        principal=sum_by_currency(row.owed for row in selected if row.kind != Obligation.Kind.LATE_FEE),
        fees=sum_by_currency(row.owed for row in selected if row.kind == Obligation.Kind.LATE_FEE),
        instruments=queries.instruments_of([person_id]).get(person_id, []),
        balance=queries.wallet_balance(person_id),
        closed=instrument_queries.closed_instruments(person_id),
        token=new_form_token(),
        refusal=refusal,
        chosen=visitor.posted("instrument"),
    )


def _is_payable(row: Obligation) -> bool:
    """Whether it can be paid here: not in flight and not paused."""
    return row.in_flight is None and row.paused_at is None


def _group_by_order(rows: Iterable[Obligation]) -> list[OrderDebt]:
    """Group obligations by order, keeping the order of the first ones."""
    by_order: dict[UUID, list[Obligation]] = {}
    for row in rows:
        by_order.setdefault(row.order_id, []).append(row)
    return [OrderDebt(parts[0].order, parts) for parts in by_order.values()]
