"""What a merchant's staff ask: who may look, orders, figures, and what needs a look first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, DecimalField, Exists, F, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from billing import disputed, sent_back
from billing.models import Deduction, DeductionLine
from credit.models import Agreement
from kernel import ids
from kernel.money import EXPONENTS, Money
from kernel.refusal import NotFound
from merchants import queries as merchants
from merchants.models import ApiKey, Event, Merchant, WebhookEndpoint
from merchants.rules import exchanged
from orders.models import Obligation, Order
from portal.models import Invitation, Member
from portal.rules import EXPORT_MAX

_BATCH = 1000
#: What a file says of an order.
_EXPORTED = ["out_order_no", "title", "service__name", "state", "currency", "total_minor", "ceiling_minor"]
_EXPORTED += ["created_at", "completed_at", "deducted_at", "overdue_at", "cancelled_at"]
#: What an order comes to, as far as that can be said.
_CAME_TO = Coalesce("total_minor", "amount_minor", "ceiling_minor")
#: How long an answer may be unknown before staff should hear of it.
UNKNOWN_LONG = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Business:
    """A business in one of its two modes, and its other one."""

    merchant: Merchant
    twin: Merchant

    @property
    def live(self) -> Merchant:
        return self.merchant if self.merchant.mode == "live" else self.twin

    @property
    def sandbox(self) -> Merchant:
        return self.twin if self.merchant.mode == "live" else self.merchant


def business_of(merchant_id: UUID) -> Business | None:
    """The business one of whose two merchants this is."""
    rows = Merchant.objects.select_related("realm").filter(Q(pk=merchant_id) | Q(twin=merchant_id))
    found = {row.id: row for row in rows}
    here = found.get(merchant_id)
    if here is not None and here.twin_id is not None:
        other = Merchant.objects.select_related("realm").get(pk=here.twin_id)
        return Business(here, other)
    other_side = next((row for row in found.values() if row.twin_id == merchant_id), None)
    return Business(here, other_side) if here and other_side else None


def member_of(user_id: UUID, live_id: UUID) -> Member | None:
    """The user as a member of this business, which its live merchant names."""
    rows = Member.objects.select_related("user", "merchant")
    return rows.filter(user_id=user_id, merchant_id=live_id, removed_at__isnull=True).first()


def businesses_of(user_id: UUID) -> list[Business]:
    """Where the user works, the first one first."""
    rows = Member.objects.filter(user_id=user_id, removed_at__isnull=True).order_by("id")
    found = [business_of(key) for key in rows.values_list("merchant_id", flat=True)]
    return [business for business in found if business is not None]


def team_of(live_id: UUID) -> QuerySet[Member]:
    return Member.objects.select_related("user").filter(merchant_id=live_id, removed_at__isnull=True).order_by("id")


def team_behind(column: str) -> QuerySet[Member]:
    """Inside another question: who works for the business one of whose two merchants that one's `column` names."""
    here, there = OuterRef(column), OuterRef(f"{column}__twin")
    return Member.objects.filter(Q(merchant=here) | Q(merchant=there) | Q(merchant__twin=here), removed_at__isnull=True)


def invitations_of(live_id: UUID, at: datetime) -> QuerySet[Invitation]:
    """Those that can still be accepted."""
    rows = Invitation.objects.filter(merchant_id=live_id, accepted_at__isnull=True, revoked_at__isnull=True)
    return rows.filter(expires_at__gt=at)


def invitation_by(digest: bytes) -> Invitation | None:
    return Invitation.objects.select_related("merchant").filter(digest=digest).first()


@dataclass(frozen=True, slots=True)
class Search:
    """What orders are looked for by."""

    text: str = ""
    state: str = ""
    service_id: UUID | None = None
    after: datetime | None = None
    before: datetime | None = None
    #: In whole units of each order's own currency.
    least: Decimal | None = None
    most: Decimal | None = None


def orders_found(merchant_id: UUID, search: Search) -> QuerySet[Order]:
    """The merchant's orders that are like this. A number or an id finds what it names: an order, or a person's."""
    rows = Order.objects.filter(merchant_id=merchant_id).select_related("service", "agreement")
    if search.state:
        rows = rows.filter(state=search.state)
    if search.service_id:
        rows = rows.filter(service_id=search.service_id)
    if search.after:
        rows = rows.filter(created_at__gte=search.after)
    if search.before:
        rows = rows.filter(created_at__lt=search.before)
    if search.least is not None:
        rows = rows.filter(GreaterThanOrEqual(_CAME_TO, _minor(search.least)))
    if search.most is not None:
        rows = rows.filter(LessThanOrEqual(_CAME_TO, _minor(search.most)))
    return _named(rows, merchant_id, search.text.strip())


def _minor(units: Decimal) -> Case:
    """So many units of the row's own currency, in its minor ones."""
    odd = [When(currency=currency, then=Value(units.scaleb(places))) for currency, places in EXPONENTS.items()]
    return Case(*odd, default=Value(units.scaleb(2)), output_field=DecimalField())


def _named(rows: "QuerySet[Order, Any]", merchant_id: UUID, text: str) -> "QuerySet[Order, Any]":
    if not text:
        return rows
    key = ids.parse("ord", text)
    if key is not None:
        return rows.filter(pk=key)
    by_number = Order.objects.filter(merchant_id=merchant_id, out_order_no=text)
    if by_number.exists():
        return rows.filter(out_order_no=text)
    theirs = Agreement.objects.filter(merchant_id=merchant_id)
    person = ids.parse("per", text)
    theirs = theirs.filter(person_id=person) if person else theirs.filter(person_ref=text)
    if keys := list(theirs.values_list("pk", flat=True)):
        return rows.filter(agreement_id__in=keys)
    return rows.filter(title__icontains=text)


def exported(rows: "QuerySet[Order, Any]") -> Iterator[Order]:
    """Orders for a file, newest first, batch by batch, and no more than fit."""
    rows = rows.select_related(None).select_related("service").only(*_EXPORTED)
    last, left = None, EXPORT_MAX
    while left > 0:
        batch = list((rows if last is None else rows.filter(pk__lt=last)).order_by("-pk")[: min(_BATCH, left)])
        yield from batch
        if len(batch) < _BATCH:
            return
        last, left = batch[-1].pk, left - len(batch)


@dataclass(frozen=True, slots=True)
class Tally:
    """So many, and what they come to in each currency."""

    count: int
    sums: Sequence[Money]


@dataclass(frozen=True, slots=True)
class Today:
    """How a merchant's day is going."""

    ordered: Tally
    collected: Tally
    overdue: Tally
    open: int


def today_of(merchant_id: UUID, *, since: datetime) -> Today:
    """Orders that were opened since then, what was collected, and what is overdue now.

    What was paid at the merchant's own till is settled as well, and was not collected.
    """
    mine = Order.objects.filter(merchant_id=merchant_id)
    taken = DeductionLine.objects.filter(order=OuterRef("pk"), deduction__state=Deduction.State.SUCCEEDED)
    owed = Obligation.objects.filter(merchant_id=merchant_id, state=Obligation.State.OVERDUE)
    overdue = owed.order_by().values("currency").annotate(n=Count("order", distinct=True))
    late = list(overdue.annotate(minor=Sum(F("amount_minor") - F("paid_minor"))).values_list("currency", "n", "minor"))
    return Today(
        ordered=_tally(mine.filter(created_at__gte=since), _CAME_TO),
        collected=_tally(mine.filter(Exists(taken), deducted_at__gte=since), F("total_minor")),
        overdue=Tally(sum(n for _c, n, _m in late), [Money(minor, currency) for currency, _n, minor in late]),
        open=mine.filter(state=Order.State.OPEN).count(),
    )


def _tally(rows: "QuerySet[Order, Any]", amount: Any) -> Tally:
    found = list(
        rows.order_by().values_list("currency").annotate(n=Count("id"), minor=Sum(amount)).order_by("currency")
    )
    return Tally(sum(n for _c, n, _m in found), [Money(minor or 0, currency) for currency, n, minor in found if n])


@dataclass(frozen=True, slots=True)
class Trouble:
    """What needs a look first. Each kind is worded on the page."""

    failing: Sequence[WebhookEndpoint]
    disabled: Sequence[WebhookEndpoint]
    unknown: int
    disputes: int
    returns: int
    exchanging: bool


def trouble_of(merchant_id: UUID, *, at: datetime) -> Trouble:
    """Endpoints that fail or are off, lost outcomes, disputes and returns to answer, a rotation not finished."""
    endpoints = list(merchants.endpoints_of(merchant_id))
    keys = ApiKey.objects.filter(merchant_id=merchant_id, revoked_at__isnull=True).values_list("name", "scopes")
    lost = DeductionLine.objects.filter(
        order__merchant_id=merchant_id, live=True, deduction__state=Deduction.State.UNKNOWN
    ).filter(deduction__sent_at__lt=at - UNKNOWN_LONG)
    return Trouble(
        failing=[row for row in endpoints if row.state == WebhookEndpoint.State.ENABLED and row.failures],
        disabled=[row for row in endpoints if row.disabled_because and row.disabled_because != "by_merchant"],
        unknown=lost.count(),
        disputes=disputed.unanswered_of(merchant_id, at=at),
        returns=sent_back.unanswered_of(merchant_id),
        exchanging=exchanged(keys),
    )


@dataclass(frozen=True, slots=True)
class Start:
    """How far a newcomer has come."""

    key: bool
    service: bool
    agreement: bool
    order: bool
    webhook: bool

    @property
    def done(self) -> bool:
        return all((self.key, self.service, self.order, self.webhook))


def start_of(merchant: Merchant) -> Start:
    return Start(
        key=merchant.api_keys.filter(revoked_at__isnull=True).exists(),
        service=merchant.services.exists(),
        agreement=Event.objects.filter(merchant=merchant, type="agreement.activated").exists(),
        order=Order.objects.filter(merchant=merchant).exists(),
        webhook=merchants.endpoints_of(merchant.id).exists(),
    )


def key_of(merchant_id: UUID, key_id: UUID) -> ApiKey:
    """The merchant's own key.

    Raises:
        NotFound: missing, or another merchant's.
    """
    key = ApiKey.objects.filter(merchant_id=merchant_id, pk=key_id).first()
    if key is None:
        raise NotFound
    return key
