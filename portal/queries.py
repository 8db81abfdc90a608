"""Queries of the merchant console: business and team, order search and export, today's summary, alerts, onboarding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, DecimalField, F, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from billing import dispute_queries, return_queries
from billing.channels import CHANNELS
from billing.models import Deduction, DeductionLine
from credit.models import Agreement
from kernel import ids
from kernel.money import EXPONENTS, Money
from kernel.refusal import NotFound
from merchants import queries as merchants
from merchants.models import ApiKey, Event, Merchant, WebhookEndpoint
from merchants.rules import is_rotating
from orders.models import Obligation, Order
from portal.models import Invitation, Member
from portal.rules import EXPORT_MAX

_BATCH = 1000
#: Fields of an order in the export.
_EXPORT_FIELDS = ["out_order_no", "title", "service__name", "state", "currency", "total_minor", "ceiling_minor"]
_EXPORT_FIELDS += ["created_at", "completed_at", "deducted_at", "overdue_at", "cancelled_at"]
#: The amount of an order: its total, else the agreed amount, else the ceiling.
_ORDER_AMOUNT = Coalesce("total_minor", "amount_minor", "ceiling_minor")
#: How long a deduction's result may be unknown before the overview page alerts staff.
UNKNOWN_ALERT_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Business:
    """A business in the current mode (`merchant`), and its merchant in the other mode (`twin`)."""

    merchant: Merchant
    twin: Merchant

    @property
    def live(self) -> Merchant:
        return self.merchant if self.merchant.mode == "live" else self.twin

    @property
    def sandbox(self) -> Merchant:
        return self.twin if self.merchant.mode == "live" else self.merchant


def business_of(merchant_id: UUID) -> Business | None:
    """The business this merchant belongs to, live or sandbox."""
    rows = Merchant.objects.select_related("realm").filter(Q(pk=merchant_id) | Q(twin=merchant_id))
    found = {row.id: row for row in rows}
    here = found.get(merchant_id)
    if here is not None and here.twin_id is not None:
        other = Merchant.objects.select_related("realm").get(pk=here.twin_id)
        return Business(here, other)
    other_side = next((row for row in found.values() if row.twin_id == merchant_id), None)
    return Business(here, other_side) if here and other_side else None


def member_of(user_id: UUID, live_id: UUID) -> Member | None:
    """The user's membership in this business."""
    rows = Member.objects.select_related("user", "merchant")
    return rows.filter(user_id=user_id, merchant_id=live_id, removed_at__isnull=True).first()


def businesses_of(user_id: UUID) -> list[Business]:
    """The businesses the user is a member of, the earliest membership first."""
    rows = Member.objects.filter(user_id=user_id, removed_at__isnull=True).order_by("id")
    found = [business_of(key) for key in rows.values_list("merchant_id", flat=True)]
    return [business for business in found if business is not None]


def team_of(live_id: UUID) -> QuerySet[Member]:
    return Member.objects.select_related("user").filter(merchant_id=live_id, removed_at__isnull=True).order_by("id")


def team_subquery(column: str) -> QuerySet[Member]:
    """Subquery: members of the business that the outer row's `column` (a live or sandbox merchant) belongs to."""
    merchant, twin = OuterRef(column), OuterRef(f"{column}__twin")
    return Member.objects.filter(
        Q(merchant=merchant) | Q(merchant=twin) | Q(merchant__twin=merchant), removed_at__isnull=True
    )


def invitations_of(live_id: UUID, at: datetime) -> QuerySet[Invitation]:
    """Invitations that can still be accepted."""
    rows = Invitation.objects.filter(merchant_id=live_id, accepted_at__isnull=True, revoked_at__isnull=True)
    return rows.filter(expires_at__gt=at)


def invitation_by_digest(digest: bytes) -> Invitation | None:
    return Invitation.objects.select_related("merchant").filter(digest=digest).first()


@dataclass(frozen=True, slots=True)
class OrderSearch:
    """Criteria of an order search."""

    text: str = ""
    state: str = ""
    service_id: UUID | None = None
    after: datetime | None = None
    before: datetime | None = None
    #: In major units of each order's own currency.
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None


def search_orders(merchant_id: UUID, search: OrderSearch) -> QuerySet[Order]:
    """The merchant's orders that match. The text may be an order id or number, a customer id, or part of a title."""
    rows = Order.objects.filter(merchant_id=merchant_id).select_related("service", "agreement")
    if search.state:
        rows = rows.filter(state=search.state)
    if search.service_id:
        rows = rows.filter(service_id=search.service_id)
    if search.after:
        rows = rows.filter(created_at__gte=search.after)
    if search.before:
        rows = rows.filter(created_at__lt=search.before)
    if search.min_amount is not None:
        rows = rows.filter(GreaterThanOrEqual(_ORDER_AMOUNT, _to_minor_units(search.min_amount)))
    if search.max_amount is not None:
        rows = rows.filter(LessThanOrEqual(_ORDER_AMOUNT, _to_minor_units(search.max_amount)))
    return _match_text(rows, merchant_id, search.text.strip())


def _to_minor_units(units: Decimal) -> Case:
    """SQL expression: major units converted to minor units of the row's own currency."""
    exceptions = [When(currency=currency, then=Value(units.scaleb(places))) for currency, places in EXPONENTS.items()]
    return Case(*exceptions, default=Value(units.scaleb(2)), output_field=DecimalField())


def _match_text(rows: "QuerySet[Order, Any]", merchant_id: UUID, text: str) -> "QuerySet[Order, Any]":
    if not text:
        return rows
    key = ids.parse("ord", text)
    if key is not None:
        return rows.filter(pk=key)
    by_number = Order.objects.filter(merchant_id=merchant_id, out_order_no=text)
    if by_number.exists():
        return rows.filter(out_order_no=text)
    agreements = Agreement.objects.filter(merchant_id=merchant_id)
    person = ids.parse("per", text)
    agreements = agreements.filter(person_id=person) if person else agreements.filter(person_ref=text)
    if keys := list(agreements.values_list("pk", flat=True)):
        return rows.filter(agreement_id__in=keys)
    return rows.filter(title__icontains=text)


def iter_for_export(rows: "QuerySet[Order, Any]") -> Iterator[Order]:
    """Orders for a file, newest first, read in batches, at most `EXPORT_MAX`."""
    rows = rows.select_related(None).select_related("service").only(*_EXPORT_FIELDS)
    last, left = None, EXPORT_MAX
    while left > 0:
        batch = list((rows if last is None else rows.filter(pk__lt=last)).order_by("-pk")[: min(_BATCH, left)])
        yield from batch
        if len(batch) < _BATCH:
            return
        last, left = batch[-1].pk, left - len(batch)


@dataclass(frozen=True, slots=True)
class CountAndSums:
    """A count, and the sum in each currency."""

    count: int
    sums: Sequence[Money]


@dataclass(frozen=True, slots=True)
class TodaySummary:
    """Today's figures of a merchant."""

    orders: CountAndSums
    collected: CountAndSums
    overdue: CountAndSums
    open: int


def today_summary(merchant: Merchant, *, since: datetime) -> TodaySummary:
    """Orders opened since then, what was collected since then, and what is overdue now.

    Collected is what deductions brought in, instalments one by one, as in the reports. Orders paid directly to the
    merchant are settled too, but do not count as collected.
    """
    orders = Order.objects.filter(merchant=merchant)
    obligations = Obligation.objects.filter(merchant=merchant, state=Obligation.State.OVERDUE)
    overdue = obligations.order_by().values("currency").annotate(n=Count("order", distinct=True))
    overdue_rows = list(
        overdue.annotate(minor=Sum(F("amount_minor") - F("paid_minor"))).values_list("currency", "n", "minor")
    )
    return TodaySummary(
        orders=_count_and_sums(orders.filter(created_at__gte=since), _ORDER_AMOUNT),
        collected=_collected_since(merchant, since),
        overdue=CountAndSums(
            sum(n for _c, n, _m in overdue_rows), [Money(minor, currency) for currency, _n, minor in overdue_rows]
        ),
        open=orders.filter(state=Order.State.OPEN).count(),
    )


def _collected_since(merchant: Merchant, since: datetime) -> CountAndSums:
    """The orders of which something was collected since then, and how much. Reads the index by channel and end."""
    lines = DeductionLine.objects.filter(
        merchant=merchant,
        deduction__realm_id=merchant.realm_id,
        deduction__channel__in=sorted(CHANNELS),
        deduction__state=Deduction.State.SUCCEEDED,
        deduction__resolved_at__gte=since,
    )
    found = list(
        lines.order_by()
        .values_list("deduction__currency")
        .annotate(n=Count("order", distinct=True), minor=Sum("amount_minor"))
        .order_by("deduction__currency")
    )
    return CountAndSums(sum(n for _c, n, _m in found), [Money(minor, currency) for currency, n, minor in found])


def _count_and_sums(rows: "QuerySet[Order, Any]", amount: Any) -> CountAndSums:
    found = list(
        rows.order_by().values_list("currency").annotate(n=Count("id"), minor=Sum(amount)).order_by("currency")
    )
    return CountAndSums(
        sum(n for _c, n, _m in found), [Money(minor or 0, currency) for currency, n, minor in found if n]
    )


@dataclass(frozen=True, slots=True)
class Alerts:
    """Problems that need attention; the template has the texts."""

    failing_endpoints: Sequence[WebhookEndpoint]
    disabled_endpoints: Sequence[WebhookEndpoint]
    unknown_deductions: int
    disputes: int
    returns: int
    rotation_unfinished: bool


def alerts_for(merchant_id: UUID, *, at: datetime) -> Alerts:
    """Failing or disabled endpoints, unknown deductions, unanswered disputes and returns, unfinished key rotation."""
    endpoints = list(merchants.endpoints_of(merchant_id))
    keys = ApiKey.objects.filter(merchant_id=merchant_id, revoked_at__isnull=True).values_list("name", "scopes")
    unknown = DeductionLine.objects.filter(
        order__merchant_id=merchant_id, live=True, deduction__state=Deduction.State.UNKNOWN
    ).filter(deduction__sent_at__lt=at - UNKNOWN_ALERT_AFTER)
    return Alerts(
        failing_endpoints=[row for row in endpoints if row.state == WebhookEndpoint.State.ENABLED and row.failures],
        disabled_endpoints=[row for row in endpoints if row.disabled_because and row.disabled_because != "by_merchant"],
        unknown_deductions=unknown.count(),
        disputes=dispute_queries.count_unanswered(merchant_id, at=at),
        returns=return_queries.count_unanswered(merchant_id),
        rotation_unfinished=is_rotating(keys),
    )


@dataclass(frozen=True, slots=True)
class OnboardingProgress:
    """Which steps of getting started a merchant has done."""

    key: bool
    service: bool
    agreement: bool
    order: bool
    webhook: bool

    @property
    def is_complete(self) -> bool:
        return all((self.key, self.service, self.order, self.webhook))


def onboarding_progress(merchant: Merchant) -> OnboardingProgress:
    return OnboardingProgress(
        key=merchant.api_keys.filter(revoked_at__isnull=True).exists(),
        service=merchant.services.exists(),
        agreement=Event.objects.filter(merchant=merchant, type="agreement.activated").exists(),
        order=Order.objects.filter(merchant=merchant).exists(),
        webhook=merchants.endpoints_of(merchant.id).exists(),
    )


def api_key_of(merchant_id: UUID, key_id: UUID) -> ApiKey:
    """The merchant's API key.

    Raises:
        NotFound: missing, or another merchant's.
    """
    key = ApiKey.objects.filter(merchant_id=merchant_id, pk=key_id).first()
    if key is None:
        raise NotFound
    return key
