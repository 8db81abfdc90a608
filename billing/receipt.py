"""The receipt of an order (收据): what was used and came to, what was collected and given back, what is still owed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from billing import queries
from billing.labels import SANDBOX_CARD, WALLET_BALANCE
from billing.models import Deduction, DeductionLine, Refund, RefundPart
from billing.services.returns import FOR_A_RETURN
from kernel.money import Money
from kernel.paper import Block, Facts, Paper, Size, Table, Text, Totals
from kernel.refusal import NotFound
from kernel.templatetags.house import money, written
from orders.models import Obligation, Order
from orders.queries import Sheet

_WIDTHS, _FIGURES = (3, 1), (1,)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt is made of: the order, the deductions that took money for it, and its refunds."""

    sheet: Sheet
    taken: Sequence[DeductionLine]
    refunds: Sequence[Refund]
    at: datetime

    @property
    def order(self) -> Order:
        return self.sheet.order

    @property
    def cancelled(self) -> bool:
        return bool(self.order.state == Order.State.CANCELLED)

    @property
    def collected(self) -> Money:
        """What was taken and not taken back by the bank to be paid once more."""
        return Money(sum(line.amount_minor - line.reopened_minor for line in self.taken), self.order.currency)

    @property
    def refunded(self) -> Money:
        """What went back of the order, and of what was paid for it once more after a return that did not stand."""
        parts = [part for row in self.refunds for part in row.parts.all() if part.state == RefundPart.State.SUCCEEDED]
        again = sum(part.amount_minor for part in parts if part.taken.again)
        return self.order.refunded + Money(again, self.order.currency)

    @property
    def late_fees(self) -> Money:
        rows = [row for row in self.sheet.obligations if row.kind == Obligation.Kind.LATE_FEE]
        owed = sum(row.amount_minor for row in rows if row.state != Obligation.State.WAIVED)
        return Money(owed, self.order.currency)


def has_receipt(order: Order, attempts: Sequence[DeductionLine]) -> bool:
    """Whether there is anything to give a receipt for: money was collected, or the order was called off."""
    return order.state == Order.State.CANCELLED or any(_took(line) for line in attempts)


def receipt_of(sheet: Sheet, *, at: datetime) -> Receipt:
    """The receipt of this order as it stands now.

    Raises:
        NotFound: nothing was collected for it, and it was not called off.
    """
    attempts = list(queries.attempts_at(sheet.order.id).order_by("id"))
    if not has_receipt(sheet.order, attempts):
        raise NotFound
    refunds = [] if sheet.order.state == Order.State.CANCELLED else list(queries.refunds_of(sheet.order.id))
    return Receipt(sheet, [line for line in attempts if _took(line)], refunds[::-1], at)


def paper_of(receipt: Receipt, size: Size = Size.A4) -> Paper:
    """The receipt as a paper, in the language that is switched on."""
    return Paper(
        title=_("Receipt"),
        about=receipt.order.title,
        at=receipt.at,
        blocks=[block for block in _blocks(receipt) if block],
        name=_("Use now, pay later"),
        size=size,
    )


def _took(line: DeductionLine) -> bool:
    return bool(line.deduction.state == Deduction.State.SUCCEEDED)


def _blocks(receipt: Receipt) -> Iterator[Block | None]:
    yield _facts(receipt)
    if receipt.cancelled:
        yield Text(_("The order was cancelled. Nothing was deducted and nothing is due."))
    else:
        yield _items(receipt)
        yield _taken(receipt)
        yield _refunds(receipt)
        yield _totals(receipt)
    yield Text(
        _(
            "This receipt covers payments made through this platform. For a tax invoice (fapiao), please contact the"
            " merchant."
        )
    )


def _facts(receipt: Receipt) -> Facts:
    order, at = receipt.order, receipt.at
    began = order.starts_at if order.starts_at and order.starts_at <= at else None
    rows = [
        (_("Merchant"), order.merchant.name),
        (_("Contact"), order.merchant.contact),
        (_("Service"), order.service.name),
        (_("Order"), order.public_id),
        (_("Merchant order no."), order.out_order_no),
        (_("Started"), written(began)),
        (_("Ended"), written(order.ends_at if order.completed_at else None)),
        (_("Cancelled on"), written(order.cancelled_at)),
        (_("Reason given"), _("You declined") if receipt.cancelled and order.declined else order.cancel_reason),
        (_("As of"), written(at)),
    ]
    return Facts([row for row in rows if row[1]])


def _items(receipt: Receipt) -> Table:
    order = receipt.order
    rows = [(_item(line), _sum(order, line["amount"])) for line in order.items]
    rows += [(_item(line), f"−{_sum(order, line['amount'])}") for line in order.discounts]
    if receipt.sheet.taken_off:
        rows.append((_("Later reductions"), f"−{money(receipt.sheet.taken_off)}"))
    rows = rows or [(order.title, money(order.total))]
    return Table([_("Item"), _("Amount")], rows, _WIDTHS, _FIGURES, _("Service details"))


def _taken(receipt: Receipt) -> Table:
    rows = [(_collected(line), _sum(receipt.order, line.amount_minor)) for line in receipt.taken]
    return Table([_("Time, source and number"), _("Amount")], rows, _WIDTHS, _FIGURES, _("Deducted"))


def _refunds(receipt: Receipt) -> Table | None:
    rows = [(_refund(row), money(row.amount)) for row in receipt.refunds]
    head = [_("Time, reason and number"), _("Amount")]
    return Table(head, rows, _WIDTHS, _FIGURES, _("Refunds")) if rows else None


def _totals(receipt: Receipt) -> Totals:
    rows = [
        (_("Total"), receipt.order.total),
        (_("Late fee"), receipt.late_fees),
        (_("Deducted"), receipt.collected),
        (_("Refunded"), receipt.refunded),
        (_("Net paid after refunds"), receipt.collected - receipt.refunded if receipt.refunded else Money(0)),
    ]
    shown = [(name, money(amount)) for name, amount in rows if amount or name == rows[0][0]]
    return Totals([*shown, (_("Amount due"), money(receipt.sheet.owed))])


def _sum(order: Order, minor: int) -> str:
    return money(Money(minor, order.currency))


def _item(line: dict[str, object]) -> str:
    count = f" × {line['count']}" if line.get("count") not in (None, 1) else ""
    about = f"\n{line['description']}" if line.get("description") else ""
    return f"{line['name']}{count}{about}"


def _collected(line: DeductionLine) -> str:
    told = _deduction(line.deduction)
    if not line.reopened_minor:
        return told
    back = {"amount": money(Money(line.reopened_minor, line.deduction.currency))}
    return "\n".join([told, _("Your bank returned %(amount)s") % back])


def _deduction(deduction: Deduction) -> str:
    # By what the bank calls it: what a person calls their own card is nobody else's to read.
    lines = [f"{written(deduction.resolved_at)} · {_source(deduction.instrument.label)}", deduction.public_id]
    if deduction.channel_txn:
        lines.append(_("Transaction: %(number)s") % {"number": deduction.channel_txn})
    return "\n".join(lines)


def _source(label: str) -> str:
    """What the sandbox's makeshift names are called in the reader's language."""
    if label == WALLET_BALANCE:
        return _("Wallet balance")
    card = label.removeprefix(SANDBOX_CARD)
    return label if card == label else _("Sandbox bank card") + card


def _refund(refund: Refund) -> str:
    if refund.state == Refund.State.PENDING:
        state = _("Refund in progress")
    elif refund.state == Refund.State.FAILED:
        state = _("Not fully refunded")
    else:
        state = _("Refunded")
    reason = _("Returned goods") if refund.reason == FOR_A_RETURN else refund.reason
    lines = [f"{written(refund.created_at)} · {state}", reason, refund.public_id]
    if refund.lowered_minor:
        off = money(Money(refund.lowered_minor, refund.currency))
        lines.append(_("You no longer owe %(amount)s") % {"amount": off})
    for part in refund.parts.all():
        if part.state == RefundPart.State.SUCCEEDED:
            back = {"amount": money(part.amount), "number": part.channel_txn}
            lines.append(_("%(amount)s refunded; transaction: %(number)s") % back)
    return "\n".join(line for line in lines if line)
