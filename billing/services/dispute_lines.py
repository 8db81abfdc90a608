"""The deduction lines of a dispute: locked against refunds, with the amounts their merchants had kept."""

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


def lock_collected_lines(row: Deduction) -> list[DeductionLine]:
    """Lock all collected lines of the orders this deduction was for, oldest first, against refunds."""
    of_it = DeductionLine.objects.filter(deduction=row).values("order_id")
    lines = DeductionLine.objects.filter(order_id__in=of_it, deduction__state="succeeded")
    return list(lines.select_related("obligation").select_for_update(of=("self",), no_key=True).order_by("id"))


def require_no_pending_refund(order_ids: Sequence[UUID]) -> None:
    """Check that no refund of these orders is pending: until it ends, what is left of them is unknown.

    Raises:
        Busy: there is one.
    """
    if Refund.objects.filter(order_id__in=order_ids, state=Refund.State.PENDING).exists():
        raise Busy(retry_after=30)


def single_service_of(lines: Sequence[DeductionLine]) -> str | None:
    """The public id of the service of these lines' orders. None if they are of several services."""
    rows = Order.objects.filter(pk__in={line.order_id for line in lines})
    services = set(rows.values_list("service_id", flat=True))
    return public("svc", services.pop()) if len(services) == 1 else None


def lock_disputed_lines(dispute: Dispute) -> list[tuple[DeductionLine, Money]]:
    """The disputed lines with their amounts, locked together with all collected lines of their orders."""
    shares = dict(dispute.lines.values_list("taken_id", "amount_minor"))
    lines = [line for line in lock_collected_lines(dispute.deduction) if line.id in shares]
    return [(line, Money(shares[line.id], dispute.currency)) for line in lines]


def undecided_amounts(order_ids: Collection[UUID], *, excluding: Dispute | None = None) -> dict[UUID, int]:
    """By order, the disputed amount that nobody bears yet (minor units). Merchants keep it until that is decided.

    The caller has locked the orders' collected lines.
    """
    rows = DisputeLine.objects.filter(
        order_id__in=order_ids,
        dispute__state__in=Dispute.LIVE,
        taken__obligation__kind=Obligation.Kind.PRINCIPAL,
    ).exclude(dispute=excluding)
    return dict(rows.order_by().values_list("order_id").annotate(Sum("amount_minor")))


def lost_amounts(dispute: Dispute, pairs: Sequence[tuple[DeductionLine, Money]]) -> list[orders.ReturnedAmount]:
    """The lost amount of each line, with what its merchant had kept before, from which the fee is computed.

    Amounts of other open disputes still count as kept, so that the fees of an order add up over all its disputes and
    refunds.
    """
    causes = dict(dispute.lines.values_list("taken_id", "id"))
    kept = _kept_before(dispute, pairs)
    found = []
    for line, amount in pairs:
        before = Money(kept[line.order_id], dispute.currency)
        found.append(orders.ReturnedAmount(line.obligation_id, amount, before, causes[line.id]))
        if line.obligation.kind == Obligation.Kind.PRINCIPAL:
            kept[line.order_id] -= amount.minor
    return found


def _kept_before(dispute: Dispute, pairs: Sequence[tuple[DeductionLine, Money]]) -> Counter[UUID]:
    """By order, what its merchant had kept before this dispute (minor units).

    A merchant who is paid at completion has also kept what the person has not paid yet.
    """
    keys, bought = {line.order_id for line, _ in pairs}, Obligation.Kind.PRINCIPAL
    disputed, kept = Order.objects.filter(pk__in=keys), Counter(undecided_amounts(keys, excluding=dispute))
    kept.update({order.id: order.platform_funded_minor for order in disputed})
    paid_ahead = disputed.filter(funding=Service.Funding.ADVANCE).values_list("pk", flat=True)
    kept.update(order_queries.unpaid_principal_of(paid_ahead))
    collected = DeductionLine.objects.filter(order_id__in=keys, deduction__state="succeeded", obligation__kind=bought)
    for line in collected:
        kept[line.order_id] += line.kept_minor
    for line, amount in pairs:
        kept[line.order_id] += amount.minor if line.obligation.kind == bought else 0
    return kept
