from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from kernel.refusal import NotFound
from merchants import rules
from merchants.models import ApiKey, Event, Merchant, Service


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, by the key that was shown: read once a request."""

    key: ApiKey
    merchant: Merchant


def caller_of(secret: str) -> Caller | None:
    """The merchant a secret belongs to; None for one that is unknown or revoked, at once."""
    key = (
        ApiKey.objects.select_related("merchant__realm")
        .filter(digest=rules.digest(secret), revoked_at__isnull=True)
        .first()
    )
    return Caller(key, key.merchant) if key else None


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


def events_about(merchant_id: UUID, subject_id: UUID) -> QuerySet[Event]:
    """Everything the merchant was told about one subject, in order."""
    return Event.objects.filter(merchant_id=merchant_id, subject_id=subject_id).order_by("sequence")
