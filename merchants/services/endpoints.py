"""Webhook endpoints of a merchant: add, change, remove and disable them, and rotate their secrets."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from kernel.actor import Actor
from kernel.encryption import UNREADABLE
from kernel.rate_limits import RateLimited
from kernel.refusal import FieldError, Invalid, NotFound, Refusal, Unavailable
from merchants import queries, webhook_sender
from merchants.models import Merchant, WebhookEndpoint
from merchants.rules import webhooks as rules
from merchants.rules.events import ALL, DISABLED, is_event_filter
from merchants.services.change_log import record_change
from merchants.services.events import NewEvent, publish
from merchants.services.outbound_calls import one_outbound_call

_ENABLED, _REMOVED = WebhookEndpoint.State.ENABLED, WebhookEndpoint.State.REMOVED
#: The reason of endpoints that their merchant disabled.
BY_MERCHANT = "by_merchant"


class TooManyEndpoints(Refusal):
    """The merchant has the maximum number of endpoints."""

    code, title = "too_many_endpoints", _("The maximum number of webhook endpoints has been reached; remove one first.")


class ForbiddenAddress(Invalid):
    """Webhooks are sent to public https addresses only, not to ours or to an internal network."""

    code, title = "forbidden_address", _("Webhook endpoints must be public https addresses.")


class AddressNotFound(Invalid):
    """The host name cannot be resolved."""

    code, title = "address_not_found", _("The host name cannot be resolved.")


#: Lookups that failed without a result: DNS servers did not respond, or too many lookups are running.
LOOKUP_FAILURES = {
    "timeout": _("The host name could not be resolved in time; try again."),
    "resolver_busy": _("Too many host names are being resolved; try again shortly."),
}


LOOKUP_RETRY_SECONDS = 5


class UnknownEventType(Invalid):
    """There is no such event type."""

    code, title = "unknown_event_type", _("No such event type.")


class EndpointDisabled(Refusal):
    """Nothing is sent to a disabled endpoint."""

    code, title = "endpoint_disabled", _("The webhook endpoint is disabled; enable it first.")


def add_endpoint(
    merchant_id: UUID,
    url: str,
    *,
    event_types: Sequence[str] = (ALL,),
    description: str = "",
    by: Actor,
    at: datetime,
    on_created: Callable[[WebhookEndpoint, str], None] | None = None,
) -> tuple[WebhookEndpoint, str]:
    """Add an endpoint that receives events from now on. Its secret is returned only here.

    The host name is resolved before the transaction, as no outbound call is made inside one. `on_created` is called in
    the transaction with the result.

    Raises:
        ForbiddenAddress, AddressNotFound: the URL is not permitted, or its host cannot be resolved.
        UnknownEventType: a filter matches no event type.
        TooManyEndpoints: the merchant has the maximum number.
        RateLimited: another outbound call for the merchant is in progress.
    """
    with one_outbound_call(merchant_id):
        check_address(url)
    with transaction.atomic():
        endpoint, secret = _add_endpoint(
            merchant_id, url, _validate_event_types(event_types), description, by=by, at=at
        )
        if on_created is not None:
            on_created(endpoint, secret)
    return endpoint, secret


def _add_endpoint(
    merchant_id: UUID, url: str, event_types: list[str], description: str, *, by: Actor, at: datetime
) -> tuple[WebhookEndpoint, str]:
    merchant = Merchant.objects.select_for_update(of=("self",), no_key=True).get(pk=merchant_id)
    if merchant.webhook_endpoints.exclude(state=_REMOVED).count() >= rules.ENDPOINTS_MAX:
        raise TooManyEndpoints
    secret = rules.new_secret()
    endpoint = WebhookEndpoint(
        realm_id=merchant.realm_id,
        merchant=merchant,
        url=url,
        description=description,
        event_types=event_types,
        created_at=at,
    )
    endpoint.set_secret(secret)
    endpoint.save(force_insert=True)
    record_change(merchant_id, "endpoint_added", endpoint.id, by=by, at=at, url=url, event_types=event_types)
    return endpoint, secret


def change_endpoint(
    merchant_id: UUID, endpoint_id: UUID, terms: dict[str, Any], *, by: Actor, at: datetime
) -> WebhookEndpoint:
    """Change `url`, `event_types`, `description` or `state` of an endpoint.

    Failures at the old URL do not count at a new one.

    Raises:
        NotFound: missing, removed, or another merchant's.
        ForbiddenAddress, AddressNotFound, UnknownEventType, RateLimited: see `add_endpoint`.
    """
    if "url" in terms:
        queries.endpoint_of(merchant_id, endpoint_id)
        with one_outbound_call(merchant_id):
            check_address(terms["url"])
    if "event_types" in terms:
        terms = {**terms, "event_types": _validate_event_types(terms["event_types"])}
    return _change_endpoint(merchant_id, endpoint_id, terms, by=by, at=at)


@transaction.atomic
def _change_endpoint(
    merchant_id: UUID, endpoint_id: UUID, terms: dict[str, Any], *, by: Actor, at: datetime
) -> WebhookEndpoint:
    endpoint = lock_endpoint(merchant_id, endpoint_id)
    if terms.get("url", endpoint.url) != endpoint.url:
        endpoint.reset_failures()
    for name in ("url", "event_types", "description"):
        if name in terms:
            setattr(endpoint, name, terms[name])
    new_state = terms.get("state", endpoint.state)
    if new_state != endpoint.state and new_state == _ENABLED:
        endpoint.enable()
    elif new_state != endpoint.state:
        endpoint.disable(BY_MERCHANT, at=at)
    endpoint.save()
    record_change(merchant_id, "endpoint_changed", endpoint.id, by=by, at=at, **terms)
    return endpoint


@transaction.atomic
def remove_endpoint(merchant_id: UUID, endpoint_id: UUID, *, by: Actor, at: datetime) -> None:
    """Remove an endpoint: nothing more is sent to it; earlier deliveries stay on record.

    Raises:
        NotFound: missing, removed already, or another merchant's.
    """
    endpoint = lock_endpoint(merchant_id, endpoint_id)
    endpoint.remove(at=at)
    endpoint.save()
    record_change(merchant_id, "endpoint_removed", endpoint.id, by=by, at=at, url=endpoint.url)


@transaction.atomic
def rotate_secret(
    merchant_id: UUID, endpoint_id: UUID, *, overlap: timedelta = rules.OVERLAP, by: Actor, at: datetime
) -> tuple[WebhookEndpoint, str]:
    """Replace the secret of an endpoint; the new one is returned only here.

    The old secret signs as well until the overlap ends, and so do earlier ones until their own expiry. Without an
    overlap only the new one signs.

    Raises:
        NotFound: missing, removed, or another merchant's.
        RateLimited: the maximum number of previous secrets still signs, and there is an overlap.
    """
    endpoint, secret = lock_endpoint(merchant_id, endpoint_id), rules.new_secret()
    if overlap:
        _check_previous_secrets(endpoint, at=at)
    endpoint.rotate_secret(secret, until=at + overlap, at=at)
    endpoint.save()
    record_change(merchant_id, "secret_rotated", endpoint.id, by=by, at=at, old_until=endpoint.old_secret_until)
    return endpoint, secret


def _check_previous_secrets(endpoint: WebhookEndpoint, *, at: datetime) -> None:
    try:
        expiries = [until for until, _secret in endpoint.previous_secrets(at=at)]
    except UNREADABLE:
        return  # they cannot sign, and none of them is kept
    if len(expiries) >= rules.OLD_SECRETS_MAX:
        wait = math.ceil((min(expiries) - at).total_seconds())
        raise RateLimited(
            _("Rotated too often recently: wait, or set the overlap to 0 so that only the new secret signs."),
            retry_after=wait,
        )


def disable_endpoint(endpoint: WebhookEndpoint, because: str, *, by: Actor, at: datetime) -> None:
    """Disable an endpoint, which the caller has locked, and publish an event about it."""
    endpoint.disable(because, at=at)
    endpoint.save()
    record_change(endpoint.merchant_id, "endpoint_disabled", endpoint.id, by=by, at=at, because=because)
    data = {
        "id": endpoint.public_id,
        "url": endpoint.url,
        "disabled_because": because,
        "failing_since": endpoint.failing_from,
        "failures": endpoint.failures,
    }
    publish([NewEvent(endpoint.merchant_id, DISABLED, endpoint.id, data)], realm_id=endpoint.realm_id, at=at)


def lock_endpoint(merchant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    """Lock the merchant's endpoint until the transaction ends.

    Raises:
        NotFound: missing, removed, or another merchant's.
    """
    rows = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True)
    endpoint = rows.filter(merchant_id=merchant_id, pk=endpoint_id).exclude(state=_REMOVED).first()
    if endpoint is None:
        raise NotFound
    return endpoint


def check_address(url: str) -> None:
    """Check that a URL may be sent to; sending checks it again.

    Raises:
        ForbiddenAddress, AddressNotFound: the URL is not permitted, or its host cannot be resolved.
        Unavailable: the host name was not resolved in time.
    """
    try:
        webhook_sender.resolve_url(url)
    except webhook_sender.NotSentError as why:
        if str(why) in LOOKUP_FAILURES:
            raise Unavailable(LOOKUP_FAILURES[str(why)], retry_after=LOOKUP_RETRY_SECONDS) from None
        kind = ForbiddenAddress if str(why) == "forbidden_address" else AddressNotFound
        raise kind(errors=[FieldError("/url", kind.title)]) from None


def _validate_event_types(event_types: Sequence[str]) -> list[str]:
    filters = list(dict.fromkeys(event_types))
    if not filters:
        raise UnknownEventType(errors=[FieldError("/event_types", _("name one, or * for all"))])
    unknown = [n for n, name in enumerate(filters) if not is_event_filter(name)]
    if unknown:
        raise UnknownEventType(errors=[FieldError(f"/event_types/{n}", UnknownEventType.title) for n in unknown])
    return filters
