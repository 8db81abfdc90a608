from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from kernel.prepared import Reading
from kernel.refusal import NotFound
from kernel.versions import in_force
from merchants import rules
from merchants.models import (
    ApiKey,
    Event,
    LatePolicy,
    Merchant,
    MerchantCheck,
    Service,
    WebhookDelivery,
    WebhookEndpoint,
)
from merchants.models.events import EventQuerySet

_KEY = Reading(
    lambda digest: ApiKey.objects.select_related("merchant__realm").filter(digest=digest, revoked_at__isnull=True),
    ["bytea"],
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, by the key that was shown: read once a request."""

    key: ApiKey
    merchant: Merchant


def caller_of(secret: str) -> Caller | None:
    """The merchant a secret belongs to; None for one that is unknown or revoked, at once."""
    found = _KEY.rows(rules.digest(secret))
    return Caller(found[0], found[0].merchant) if found else None


def service_of(merchant_id: UUID, service_id: UUID) -> Service:
    """The merchant's own service.

    Raises:
        NotFound: missing, or another merchant's.
    """
    service = Service.objects.filter(merchant_id=merchant_id, pk=service_id).first()
    if service is None:
        raise NotFound
    return service


def services_of(merchant_id: UUID) -> QuerySet[Service]:
    """What the merchant offers."""
    return Service.objects.filter(merchant_id=merchant_id)


def late_bounds(at: datetime) -> rules.LateBounds:
    """What services may say of debts that are late, at this moment."""
    return rules.LateBounds.read(in_force(LatePolicy, at=at).terms)


def late_columns(service: Service, plain: Mapping[str, Any], agreed: rules.LateTerms) -> dict[str, Any]:
    """How an order of it begins under a policy's terms: of what it, they and its person said the kindest, by part."""
    return rules.LateBounds.read(plain).kinder(service.late_terms).kinder(agreed).columns


def terms_of(service: Service, bounds: rules.LateBounds) -> rules.Terms:
    """What whoever opens it now says yes to."""
    return rules.Terms(service.ceiling_minor, service.confirmation, bounds.kinder(service.late_terms))


def checks_of(merchant_id: UUID) -> dict[str, bool]:
    """The last word on each thing that was looked into."""
    rows = MerchantCheck.objects.filter(merchant_id=merchant_id).order_by("id")
    return dict(rows.values_list("name", "passed"))


def events_about(merchant_id: UUID, subject_id: UUID, *, beyond: UUID | None = None) -> QuerySet[Event]:
    """Everything the merchant was told about one subject, in order; or what comes `beyond` one of these events.

    Raises:
        NotFound: that is none of these.
    """
    rows = Event.objects.filter(merchant_id=merchant_id, subject_id=subject_id).order_by("sequence")
    if beyond is None:
        return rows
    place = rows.filter(pk=beyond).values_list("sequence", flat=True).first()
    if place is None:
        raise NotFound
    return rows.filter(sequence__gt=place)


def events_of(
    merchant_id: UUID,
    *,
    types: Sequence[str] = (),
    subject_id: UUID | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
) -> EventQuerySet:
    """What the merchant was told, newest first, without what a slow transaction might still slip in between.

    `after` and `before` are moments of the merchant's own time, the first of them included.
    """
    rows = Event.objects.filter(merchant_id=merchant_id).told()
    if types:
        rows = rows.filter(type__in=types)
    if subject_id is not None:
        rows = rows.filter(subject_id=subject_id)
    if after is not None:
        rows = rows.filter(at__gte=after)
    if before is not None:
        rows = rows.filter(at__lt=before)
    return rows.newest_first()


def place_of(merchant_id: UUID, event_id: UUID) -> tuple[int, UUID] | None:
    """Where one of the merchant's events stands in its feed; None where it has no such event."""
    return Event.objects.filter(merchant_id=merchant_id, pk=event_id).values_list("xact", "pk").first()


def event_of(merchant_id: UUID, event_id: UUID) -> Event:
    """One thing the merchant was told.

    Raises:
        NotFound: missing, or another merchant's.
    """
    event = Event.objects.filter(merchant_id=merchant_id, pk=event_id).first()
    if event is None:
        raise NotFound
    return event


def endpoints_of(merchant_id: UUID) -> QuerySet[WebhookEndpoint]:
    """Where the merchant's events go."""
    return WebhookEndpoint.objects.filter(merchant_id=merchant_id).exclude(state=WebhookEndpoint.State.REMOVED)


def endpoint_of(merchant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    """One of the merchant's endpoints.

    Raises:
        NotFound: missing, removed, or another merchant's.
    """
    endpoint = endpoints_of(merchant_id).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound
    return endpoint


def deliveries_of(
    merchant_id: UUID, *, endpoint_id: UUID | None = None, event_id: UUID | None = None, state: str | None = None
) -> QuerySet[WebhookDelivery]:
    """How the copies of the merchant's events get on, the newest first, each with its endpoint, event and tries."""
    rows = WebhookDelivery.objects.filter(endpoint__merchant_id=merchant_id)
    if endpoint_id is not None:
        rows = rows.filter(endpoint_id=endpoint_id)
    if event_id is not None:
        rows = rows.filter(event_id=event_id)
    if state is not None:
        rows = rows.filter(state=state)
    return rows.select_related("endpoint", "event").prefetch_related("attempts").order_by("-id")
