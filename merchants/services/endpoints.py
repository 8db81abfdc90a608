"""A merchant says where its events go, and for how long which secret signs them."""

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
from merchants import courier, queries
from merchants.models import Merchant, WebhookEndpoint
from merchants.rules import webhooks as rules
from merchants.rules.events import ALL, DISABLED, is_filter
from merchants.services.events import News, publish
from merchants.services.outward import one_at_a_time
from merchants.services.record import note

_ENABLED, _REMOVED = WebhookEndpoint.State.ENABLED, WebhookEndpoint.State.REMOVED
#: Why an endpoint is off: its owner wanted it so.
BY_MERCHANT = "by_merchant"


class TooManyEndpoints(Refusal):
    """A merchant has as many endpoints as anybody needs."""

    code, title = "too_many_endpoints", _("The maximum number of webhook endpoints has been reached; remove one first.")


class ForbiddenAddress(Invalid):
    """Webhooks go to public https addresses only: not to us, nor to anybody's inner network."""

    code, title = "forbidden_address", _("Webhook endpoints must be public https addresses.")


class AddressNotFound(Invalid):
    """The host name leads nowhere."""

    code, title = "address_not_found", _("The host name cannot be resolved.")


#: The name's own servers kept silent, or too many names are being asked for: it may be well, and nobody knows.
NOT_FOUND_OUT = {
    "timeout": _("The host name could not be resolved in time; try again."),
    "resolver_busy": _("Too many host names are being resolved; try again shortly."),
}


NOT_FOUND_OUT_SECONDS = 5


class UnknownEventType(Invalid):
    """There is no such type of event."""

    code, title = "unknown_event_type", _("No such event type.")


class EndpointDisabled(Refusal):
    """Nothing is sent to an endpoint that is switched off."""

    code, title = "endpoint_disabled", _("The webhook endpoint is disabled; enable it first.")


def add_endpoint(
    merchant_id: UUID,
    url: str,
    *,
    event_types: Sequence[str] = (ALL,),
    description: str = "",
    by: Actor,
    at: datetime,
    begun: Callable[[WebhookEndpoint, str], None] | None = None,
) -> tuple[WebhookEndpoint, str]:
    """One more address hears of events, from now on. Its secret is returned this once.

    The host name is looked up before the transaction: the outside is never asked inside one. `begun` is told the same
    in the transaction.

    Raises:
        ForbiddenAddress, AddressNotFound: it may not, or cannot, be sent to.
        UnknownEventType: it is to hear of something that never happens.
        TooManyEndpoints: there are enough.
        RateLimited: another address of the merchant's is being asked just now.
    """
    with one_at_a_time(merchant_id):
        check_address(url)
    with transaction.atomic():
        endpoint, secret = _add_endpoint(merchant_id, url, _known(event_types), description, by=by, at=at)
        if begun is not None:
            begun(endpoint, secret)
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
    endpoint.keep_secret(secret)
    endpoint.save(force_insert=True)
    note(merchant_id, "endpoint_added", endpoint.id, by=by, at=at, url=url, event_types=event_types)
    return endpoint, secret


def change_endpoint(
    merchant_id: UUID, endpoint_id: UUID, terms: dict[str, Any], *, by: Actor, at: datetime
) -> WebhookEndpoint:
    """Another address, other events, another description, or on and off: `url`, `event_types`, `description`, `state`.

    What went wrong at the address before does not count at another.

    Raises:
        NotFound: missing, removed, or another merchant's.
        ForbiddenAddress, AddressNotFound, UnknownEventType, RateLimited: as adding it says.
    """
    if "url" in terms:
        queries.endpoint_of(merchant_id, endpoint_id)
        with one_at_a_time(merchant_id):
            check_address(terms["url"])
    if "event_types" in terms:
        terms = {**terms, "event_types": _known(terms["event_types"])}
    return _change_endpoint(merchant_id, endpoint_id, terms, by=by, at=at)


@transaction.atomic
def _change_endpoint(
    merchant_id: UUID, endpoint_id: UUID, terms: dict[str, Any], *, by: Actor, at: datetime
) -> WebhookEndpoint:
    endpoint = lock_endpoint(merchant_id, endpoint_id)
    if terms.get("url", endpoint.url) != endpoint.url:
        endpoint.begin_anew()
    for name in ("url", "event_types", "description"):
        if name in terms:
            setattr(endpoint, name, terms[name])
    wanted = terms.get("state", endpoint.state)
    if wanted != endpoint.state and wanted == _ENABLED:
        endpoint.enable()
    elif wanted != endpoint.state:
        endpoint.disable(BY_MERCHANT, at=at)
    endpoint.save()
    note(merchant_id, "endpoint_changed", endpoint.id, by=by, at=at, **terms)
    return endpoint


@transaction.atomic
def remove_endpoint(merchant_id: UUID, endpoint_id: UUID, *, by: Actor, at: datetime) -> None:
    """Nothing is sent there any more; what was sent stays on record.

    Raises:
        NotFound: missing, removed already, or another merchant's.
    """
    endpoint = lock_endpoint(merchant_id, endpoint_id)
    endpoint.remove(at=at)
    endpoint.save()
    note(merchant_id, "endpoint_removed", endpoint.id, by=by, at=at, url=endpoint.url)


@transaction.atomic
def rotate_secret(
    merchant_id: UUID, endpoint_id: UUID, *, overlap: timedelta = rules.OVERLAP, by: Actor, at: datetime
) -> tuple[WebhookEndpoint, str]:
    """A new secret, returned this once. Until the overlap ends, the one before it signs as well, and so do those
    before that one that were promised to. Without an overlap the new one signs alone.

    Raises:
        NotFound: missing, removed, or another merchant's.
        RateLimited: as many as may sign were promised to, and the new one is not to sign alone.
    """
    endpoint, secret = lock_endpoint(merchant_id, endpoint_id), rules.new_secret()
    if overlap:
        _room_for_one_more(endpoint, at=at)
    endpoint.exchange_secret(secret, until=at + overlap, at=at)
    endpoint.save()
    note(merchant_id, "secret_rotated", endpoint.id, by=by, at=at, old_until=endpoint.old_secret_until)
    return endpoint, secret


def _room_for_one_more(endpoint: WebhookEndpoint, *, at: datetime) -> None:
    try:
        ends = [until for until, _secret in endpoint.older_secrets(at=at)]
    except UNREADABLE:
        return  # they sign nothing, and none of them is kept
    if len(ends) >= rules.OLD_SECRETS_MAX:
        wait = math.ceil((min(ends) - at).total_seconds())
        raise RateLimited(
            _("Rotated too often recently: wait, or set the overlap to 0 so that only the new secret signs."),
            retry_after=wait,
        )


def switch_off(endpoint: WebhookEndpoint, because: str, *, by: Actor, at: datetime) -> None:
    """The endpoint, which is locked, is off: told to the merchant's other endpoints, and in its events for ever."""
    endpoint.disable(because, at=at)
    endpoint.save()
    note(endpoint.merchant_id, "endpoint_disabled", endpoint.id, by=by, at=at, because=because)
    data = {
        "id": endpoint.public_id,
        "url": endpoint.url,
        "disabled_because": because,
        "failing_since": endpoint.failing_from,
        "failures": endpoint.failures,
    }
    publish([News(endpoint.merchant_id, DISABLED, endpoint.id, data)], realm_id=endpoint.realm_id, at=at)


def lock_endpoint(merchant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    """The merchant's endpoint, locked until the transaction ends.

    Raises:
        NotFound: missing, removed, or another merchant's.
    """
    rows = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True)
    found = rows.filter(merchant_id=merchant_id, pk=endpoint_id).exclude(state=_REMOVED).first()
    if found is None:
        raise NotFound
    return found


def check_address(url: str) -> None:
    """Look at the address as sending will do again.

    Raises:
        ForbiddenAddress, AddressNotFound: it may not, or cannot, be sent to.
        Unavailable: nobody told in time where the name leads.
    """
    try:
        courier.look_up(url)
    except courier.NotSentError as why:
        if str(why) in NOT_FOUND_OUT:
            raise Unavailable(NOT_FOUND_OUT[str(why)], retry_after=NOT_FOUND_OUT_SECONDS) from None
        kind = ForbiddenAddress if str(why) == "forbidden_address" else AddressNotFound
        raise kind(errors=[FieldError("/url", kind.title)]) from None


def _known(event_types: Sequence[str]) -> list[str]:
    wanted = list(dict.fromkeys(event_types))
    if not wanted:
        raise UnknownEventType(errors=[FieldError("/event_types", "name one, or * for all")])
    unknown = [n for n, name in enumerate(wanted) if not is_filter(name)]
    if unknown:
        raise UnknownEventType(errors=[FieldError(f"/event_types/{n}", UnknownEventType.title) for n in unknown])
    return wanted
