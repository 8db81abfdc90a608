"""Verbs of merchants: the tenant's own affairs, what it is told, where that is sent, and sending it."""

from merchants.services.deliver import deliver_due
from merchants.services.endpoints import (
    AddressNotFound,
    EndpointDisabled,
    ForbiddenAddress,
    TooManyEndpoints,
    UnknownEventType,
    add_endpoint,
    change_endpoint,
    remove_endpoint,
    rotate_secret,
)
from merchants.services.events import News, publish
from merchants.services.ping import Ping, ping_endpoint
from merchants.services.redeliver import NobodyListens, redeliver_event, redeliver_failed
from merchants.services.tenant import (
    TooManyKeys,
    UnknownPolicy,
    change_service,
    issue_key,
    join_merchant,
    offer_service,
    revoke_key,
)

__all__ = [
    "AddressNotFound",
    "EndpointDisabled",
    "ForbiddenAddress",
    "News",
    "NobodyListens",
    "Ping",
    "TooManyEndpoints",
    "TooManyKeys",
    "UnknownEventType",
    "UnknownPolicy",
    "add_endpoint",
    "change_endpoint",
    "change_service",
    "deliver_due",
    "issue_key",
    "join_merchant",
    "offer_service",
    "ping_endpoint",
    "publish",
    "redeliver_event",
    "redeliver_failed",
    "remove_endpoint",
    "revoke_key",
    "rotate_secret",
]
