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
from merchants.services.joining import (
    Application,
    apply_to_join,
    approve_merchant,
    join_merchant,
    limit_orders,
    note_check,
    open_merchant,
    refuse_merchant,
    resume_merchant,
    suspend_merchant,
)
from merchants.services.late import judge_late_terms
from merchants.services.ping import Ping, ping_endpoint
from merchants.services.redeliver import NobodyListens, redeliver_event, redeliver_failed
from merchants.services.tenant import (
    TooManyKeys,
    UnknownPolicy,
    change_service,
    issue_key,
    offer_service,
    revoke_key,
)
from merchants.services.terms import set_fee

__all__ = [
    "AddressNotFound",
    "Application",
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
    "apply_to_join",
    "approve_merchant",
    "change_endpoint",
    "change_service",
    "deliver_due",
    "issue_key",
    "join_merchant",
    "judge_late_terms",
    "limit_orders",
    "note_check",
    "offer_service",
    "open_merchant",
    "ping_endpoint",
    "publish",
    "redeliver_event",
    "redeliver_failed",
    "refuse_merchant",
    "remove_endpoint",
    "resume_merchant",
    "revoke_key",
    "rotate_secret",
    "set_fee",
    "suspend_merchant",
]
