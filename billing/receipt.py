"""The receipt of an order (收据): its items, what was collected and refunded, and what is still owed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from billing import queries
from billing.labels import SANDBOX_CARD, WALLET_BALANCE
from billing.models import Deduction, DeductionLine, Refund, RefundPart
from billing.services.returns import RETURN_REFUND_REASON
from kernel.documents import Block, Document, FieldList, Size, Table, Text, Totals
from kernel.money import Money
from kernel.refusal import NotFound
from kernel.templatetags.formatting import money, plain_datetime
from orders.models import Obligation, Order
from orders.queries import OrderDetails

_WIDTHS, _FIGURES = (3, 1), (1,)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The data of a receipt: the order, its successful deductions, and its refunds."""

    details: OrderDetails
    collected_lines: Sequence[DeductionLine]
    refunds: Sequence[Refund]
    at: datetime

    @property
    def order(self) -> Order:
        return self.details.order

    @property
    def is_cancelled(self) -> bool:
        return bool(self.order.state == Order.State.CANCELLED)

    @property
    def collected(self) -> Money:
        """What was deducted, without what a bank took back and the person owes again."""
        return Money(sum(line.amount_minor - line.reopened_minor for line in self.collected_lines), self.order.currency)

    @property
    def refunded(self) -> Money:
        return refunded_amount(self.order, self.refunds)

    @property
    def late_fees(self) -> Money:
        rows = [row for row in self.details.obligations if row.kind == Obligation.Kind.LATE_FEE]
        owed = sum(row.amount_minor for row in rows if row.state != Obligation.State.WAIVED)
        return Money(owed, self.order.currency)


def has_receipt(order: Order, attempts: Sequence[DeductionLine]) -> bool:
    """Whether the order has a receipt: money was collected, or it was cancelled."""
    return order.state == Order.State.CANCELLED or any(_is_collected(line) for line in attempts)


def refunded_amount(order: Order, refunds: Iterable[Refund]) -> Money:
    """What was refunded of the order, and of the repayment of an early refund after a denied return.

    What a bank returned to the person for good is refunded too.
    """
    parts = [part for row in refunds for part in row.parts.all() if part.state == RefundPart.State.SUCCEEDED]
    of_repayments = sum(part.amount_minor for part in parts if part.taken.is_advance_repayment)
    return order.refunded + Money(of_repayments, order.currency)


def build_receipt(details: OrderDetails, *, at: datetime) -> Receipt:
    """The receipt of this order in its current state.

    Raises:
        NotFound: nothing was collected for it, and it was not cancelled.
    """
    attempts = list(queries.attempts_of_order(details.order.id).order_by("id"))
    if not has_receipt(details.order, attempts):
        raise NotFound
    refunds = [] if details.order.state == Order.State.CANCELLED else list(queries.refunds_of(details.order.id))
    return Receipt(details, [line for line in attempts if _is_collected(line)], refunds[::-1], at)


def receipt_document(receipt: Receipt, size: Size = Size.A4) -> Document:
    """The receipt as a printable document, in the active language."""
    return Document(
        title=_("Receipt"),
        subtitle=receipt.order.title,
        created_at=receipt.at,
        blocks=[block for block in _receipt_blocks(receipt) if block],
        issuer=_("Use now, pay later"),
        size=size,
    )


def _is_collected(line: DeductionLine) -> bool:
    return bool(line.deduction.state == Deduction.State.SUCCEEDED)


def _receipt_blocks(receipt: Receipt) -> Iterator[Block | None]:
    yield _order_fields(receipt)
    if receipt.is_cancelled:
        yield Text(_("The order was cancelled. Nothing was deducted and nothing is due."))
    else:
        yield _items_table(receipt)
        yield _deductions_table(receipt)
        yield _refunds_table(receipt)
        yield _totals(receipt)
    yield Text(
        _(
            "This receipt covers payments made through this platform. For a tax invoice (fapiao), please contact the"
            " merchant."
        )
    )


def _order_fields(receipt: Receipt) -> FieldList:
    order, at = receipt.order, receipt.at
    began = order.starts_at if order.starts_at and order.starts_at <= at else None
    rows = [
        (_("Merchant"), order.merchant.name),
        (_("Contact"), order.merchant.contact),
        (_("Service"), order.service.name),
        (_("Order"), order.public_id),
        (_("Merchant order no."), order.out_order_no),
        (_("Started"), plain_datetime(began)),
        (_("Ended"), plain_datetime(order.ends_at if order.completed_at else None)),
        (_("Cancelled on"), plain_datetime(order.cancelled_at)),
        (_("Reason given"), _("You declined") if receipt.is_cancelled and order.is_declined else order.cancel_reason),
        (_("As of"), plain_datetime(at)),
    ]
    return FieldList([row for row in rows if row[1]])


def _items_table(receipt: Receipt) -> Table:
    order = receipt.order
    rows = [(_describe_item(line), _format_amount(order, line["amount"])) for line in order.items]
    rows += [(_describe_item(line), f"−{_format_amount(order, line['amount'])}") for line in order.discounts]
    if receipt.details.reduction:
        rows.append((_("Later reductions"), f"−{money(receipt.details.reduction)}"))
    rows = rows or [(order.title, money(order.total))]
    return Table([_("Item"), _("Amount")], rows, _WIDTHS, _FIGURES, _("Service details"))


def _deductions_table(receipt: Receipt) -> Table:
    rows = [
        (_describe_line(line), _format_amount(receipt.order, line.amount_minor)) for line in receipt.collected_lines
    ]
    return Table([_("Time, source and number"), _("Amount")], rows, _WIDTHS, _FIGURES, _("Deducted"))


def _refunds_table(receipt: Receipt) -> Table | None:
    rows = [(_describe_refund(row), money(row.amount)) for row in receipt.refunds]
    head = [_("Time, reason and number"), _("Amount")]
    return Table(head, rows, _WIDTHS, _FIGURES, _("Refunds")) if rows else None


def _totals(receipt: Receipt) -> Totals:
    rows = [
        (_("Total"), receipt.order.total),
        (_("Late fee"), receipt.late_fees),
        (_("Deducted"), receipt.collected),
        (_("Refunded"), receipt.refunded),
    ]
    shown = [(name, money(amount)) for name, amount in rows if amount or name == rows[0][0]]
    if receipt.refunded:
        shown.append((_("Net paid after refunds"), money(receipt.collected - receipt.refunded)))
    return Totals([*shown, (_("Amount due"), money(receipt.details.owed))])


def _format_amount(order: Order, minor: int) -> str:
    return money(Money(minor, order.currency))


def _describe_item(line: dict[str, object]) -> str:
    count = f" × {line['count']}" if line.get("count") not in (None, 1) else ""
    about = f"\n{line['description']}" if line.get("description") else ""
    return f"{line['name']}{count}{about}"


def _describe_line(line: DeductionLine) -> str:
    text = _describe_deduction(line.deduction)
    if not line.reopened_minor:
        return text
    returned = {"amount": money(Money(line.reopened_minor, line.deduction.currency))}
    return "\n".join([text, _("Your bank returned %(amount)s") % returned])


def _describe_deduction(deduction: Deduction) -> str:
    # The bank's label, not the person's own name for the card: a receipt may be shown to others.
    lines = [
        f"{plain_datetime(deduction.resolved_at)} · {_source_label(deduction.instrument.label)}",
        deduction.public_id,
    ]
    if deduction.channel_txn:
        lines.append(_("Transaction: %(number)s") % {"number": deduction.channel_txn})
    return "\n".join(lines)


def _source_label(label: str) -> str:
    """The instrument's label, with the sandbox's labels translated."""
    if label == WALLET_BALANCE:
        return _("Wallet balance")
    card = label.removeprefix(SANDBOX_CARD)
    return label if card == label else _("Sandbox bank card") + card


def _describe_refund(refund: Refund) -> str:
    if refund.state == Refund.State.PENDING:
        state = _("Refund in progress")
    elif refund.state == Refund.State.FAILED:
        state = _("Not fully refunded")
    else:
        state = _("Refunded")
    reason = _("Returned goods") if refund.reason == RETURN_REFUND_REASON else refund.reason
    lines = [f"{plain_datetime(refund.created_at)} · {state}", reason, refund.public_id]
    if refund.lowered_minor:
        off = money(Money(refund.lowered_minor, refund.currency))
        lines.append(_("You no longer owe %(amount)s") % {"amount": off})
    for part in refund.parts.all():
        if part.state == RefundPart.State.SUCCEEDED:
            back = {"amount": money(part.amount), "number": part.channel_txn}
            lines.append(_("%(amount)s refunded; transaction: %(number)s") % back)
    return "\n".join(line for line in lines if line)
