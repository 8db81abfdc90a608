"""What of a debit a channel may take back: its lines, locked against refunds, and what their orders had kept."""

from collections import Counter
from collections.abc import Collection, Sequence
from uuid import UUID

from django.db.models import Sum

from billing.models import Deduction, DeductionLine, Dispute, DisputeLine, Refund
from kernel.ids import public
from kernel.money import Money
from kernel.refusal import Busy
from merchants.models import Service
from orders import queries as order_queries
from orders import services as orders
from orders.models import Obligation, Order


def lock_collected(row: Deduction) -> list[DeductionLine]:
    """What was collected of all the orders this deduction was for, oldest first, locked against refunds."""
    of_it = DeductionLine.objects.filter(deduction=row).values("order_id")
    lines = DeductionLine.objects.filter(order_id__in=of_it, deduction__state="succeeded")
    return list(lines.select_related("obligation").select_for_update(of=("self",), no_key=True).order_by("id"))


def refuse_in_flight(order_ids: Sequence[UUID]) -> None:
    """While a refund of an order has no outcome, nobody knows what is left to take back of it.

    Raises:
        Busy: there is one.
    """
    if Refund.objects.filter(order_id__in=order_ids, state=Refund.State.PENDING).exists():
        raise Busy(retry_after=30)


def service_of(lines: Sequence[DeductionLine]) -> str | None:
    """The one service whose orders these lines are for; none if they are of several."""
    orders = Order.objects.filter(pk__in={line.order_id for line in lines})
    services = set(orders.values_list("service_id", flat=True))
    return public("svc", services.pop()) if len(services) == 1 else None


def lines_of(dispute: Dispute) -> list[tuple[DeductionLine, Money]]:
    """The disputed lines and how much of each, locked with all that was collected of their orders."""
    shares = dict(dispute.lines.values_list("taken_id", "amount_minor"))
    lines = [line for line in lock_collected(dispute.deduction) if line.id in shares]
    return [(line, Money(shares[line.id], dispute.currency)) for line in lines]


def undecided_of(order_ids: Collection[UUID], *, but: Dispute | None = None) -> dict[UUID, int]:
    """What channels took back of these orders and nobody bears yet: their merchants keep it until that is decided.

    The caller holds what was collected of them.
    """
    rows = DisputeLine.objects.filter(
        order_id__in=order_ids,
        dispute__state__in=Dispute.LIVE,
        taken__obligation__kind=Obligation.Kind.PRINCIPAL,
    ).exclude(dispute=but)
    return dict(rows.order_by().values_list("order_id").annotate(Sum("amount_minor")))


def gone_of(dispute: Dispute, pairs: Sequence[tuple[DeductionLine, Money]]) -> list[orders.TakenBack]:
    """What the orders are told is gone; the fee is counted from what each order had kept before.

    What else of it is disputed is kept still: however many disputes and refunds an order has, its fees add up.
    """
    causes = dict(dispute.lines.values_list("taken_id", "id"))
    kept = _kept_before(dispute, pairs)
    found = []
    for line, amount in pairs:
        before = Money(kept[line.order_id], dispute.currency)
        found.append(orders.TakenBack(line.obligation_id, amount, before, causes[line.id]))
        if line.obligation.kind == Obligation.Kind.PRINCIPAL:
            kept[line.order_id] -= amount.minor
    return found


def _kept_before(dispute: Dispute, pairs: Sequence[tuple[DeductionLine, Money]]) -> Counter[UUID]:
    """What each of these orders' merchants had kept before this dispute (minor units).

    Who was paid at completion has kept what nobody has paid yet, too.
    """
    keys, bought = {line.order_id for line, _ in pairs}, Obligation.Kind.PRINCIPAL
    disputed, kept = Order.objects.filter(pk__in=keys), Counter(undecided_of(keys, but=dispute))
    kept.update({order.id: order.by_us_minor for order in disputed})
    paid_ahead = disputed.filter(funding=Service.Funding.ADVANCE).values_list("pk", flat=True)
    kept.update(order_queries.unpaid_of(paid_ahead))
    there = DeductionLine.objects.filter(order_id__in=keys, deduction__state="succeeded", obligation__kind=bought)
    for line in there:
        kept[line.order_id] += line.kept_minor
    for line, amount in pairs:
        kept[line.order_id] += amount.minor if line.obligation.kind == bought else 0
    return kept
