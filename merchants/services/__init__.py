"""Services about merchants: onboarding, API keys, services and terms, events, webhook endpoints and deliveries."""

from merchants.services.api_keys import TooManyKeys, issue_key, revoke_key
from merchants.services.catalog import UnknownPolicy, change_service, offer_service
from merchants.services.commercial_terms import set_fee
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
from merchants.services.events import NewEvent, publish
from merchants.services.late_terms import validate_late_terms
from merchants.services.onboarding import (
    Application,
    apply_to_join,
    approve_merchant,
    join_merchant,
    open_merchant,
    record_check,
    refuse_merchant,
    resume_merchant,
    set_order_limit,
    suspend_merchant,
)
from merchants.services.ping import Ping, ping_endpoint
from merchants.services.redeliver import NoSubscribers, redeliver_event, redeliver_failed

__all__ = [
    "AddressNotFound",
    "Application",
    "EndpointDisabled",
    "ForbiddenAddress",
    "NewEvent",
    "NoSubscribers",
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
    "offer_service",
    "open_merchant",
    "ping_endpoint",
    "publish",
    "record_check",
    "redeliver_event",
    "redeliver_failed",
    "refuse_merchant",
    "remove_endpoint",
    "resume_merchant",
    "revoke_key",
    "rotate_secret",
    "set_fee",
    "set_order_limit",
    "suspend_merchant",
    "validate_late_terms",
]
