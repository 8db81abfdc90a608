"""Queries about merchants: API callers, services, terms, events, webhook endpoints and deliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from kernel.policy_versions import version_in_force
from kernel.prepared_statements import PreparedQuery
from kernel.refusal import NotFound
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

_ACTIVE_KEY = PreparedQuery(
    lambda digest: ApiKey.objects.select_related("merchant__realm").filter(digest=digest, revoked_at__isnull=True),
    ["bytea"],
)


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The API key of a request and its merchant, read once for each request."""

    key: ApiKey
    merchant: Merchant


def find_caller(secret: str) -> ApiCaller | None:
    """The caller to whom a secret belongs; None if it is unknown or revoked."""
    rows = _ACTIVE_KEY.rows(rules.digest(secret))
    return ApiCaller(rows[0], rows[0].merchant) if rows else None


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
    """The merchant's services."""
    return Service.objects.filter(merchant_id=merchant_id)


def late_bounds(at: datetime) -> rules.LateBounds:
    """The limits for late terms of services at this moment."""
    return rules.LateBounds.from_terms(version_in_force(LatePolicy, at=at).terms)


def late_columns_for_order(
    service: Service, policy_terms: Mapping[str, Any], agreed: rules.LateTerms
) -> dict[str, Any]:
    """The late columns of a new order: for each field the most lenient of service, policy and agreed terms."""
    return rules.LateBounds.from_terms(policy_terms).clamp(service.late_terms).most_lenient(agreed).columns


def terms_of(service: Service, bounds: rules.LateBounds) -> rules.ServiceTerms:
    """The terms to which a person who opens the service now agrees."""
    return rules.ServiceTerms(service.ceiling_minor, service.confirmation, bounds.clamp(service.late_terms))


def check_results(merchant_id: UUID) -> dict[str, bool]:
    """The latest result of each onboarding check."""
    rows = MerchantCheck.objects.filter(merchant_id=merchant_id).order_by("id")
    return dict(rows.values_list("name", "passed"))


def events_of_subject(merchant_id: UUID, subject_id: UUID, *, after_event: UUID | None = None) -> QuerySet[Event]:
    """All events about one subject in order, or only those after one of them.

    Raises:
        NotFound: `after_event` is not one of them.
    """
    rows = Event.objects.filter(merchant_id=merchant_id, subject_id=subject_id).order_by("sequence")
    if after_event is None:
        return rows
    place = rows.filter(pk=after_event).values_list("sequence", flat=True).first()
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
    """The merchant's events, newest first, without those before which a slow transaction might still insert.

    `after` (inclusive) and `before` (exclusive) are moments of the merchant's own time.
    """
    rows = Event.objects.filter(merchant_id=merchant_id).stable()
    if types:
        rows = rows.filter(type__in=types)
    if subject_id is not None:
        rows = rows.filter(subject_id=subject_id)
    if after is not None:
        rows = rows.filter(at__gte=after)
    if before is not None:
        rows = rows.filter(at__lt=before)
    return rows.newest_first()


def feed_position(merchant_id: UUID, event_id: UUID) -> tuple[int, UUID] | None:
    """The position of an event in the merchant's feed; None if the merchant has no such event."""
    return Event.objects.filter(merchant_id=merchant_id, pk=event_id).values_list("xact", "pk").first()


def event_of(merchant_id: UUID, event_id: UUID) -> Event:
    """One of the merchant's events.

    Raises:
        NotFound: missing, or another merchant's.
    """
    event = Event.objects.filter(merchant_id=merchant_id, pk=event_id).first()
    if event is None:
        raise NotFound
    return event


def endpoints_of(merchant_id: UUID) -> QuerySet[WebhookEndpoint]:
    """The merchant's webhook endpoints, without removed ones."""
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
    """The merchant's webhook deliveries, newest first, each with its endpoint, event and attempts."""
    rows = WebhookDelivery.objects.filter(endpoint__merchant_id=merchant_id)
    if endpoint_id is not None:
        rows = rows.filter(endpoint_id=endpoint_id)
    if event_id is not None:
        rows = rows.filter(event_id=event_id)
    if state is not None:
        rows = rows.filter(state=state)
    return rows.select_related("endpoint", "event").prefetch_related("attempts").order_by("-id")
