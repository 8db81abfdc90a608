"""Tables of merchants: the tenant, what it is told, and how that gets to it."""

from merchants.models.events import Event
from merchants.models.late import LatePolicy
from merchants.models.tenant import ApiKey, Change, Merchant, MerchantCheck, MerchantEvent, Service
from merchants.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApiKey",
    "Change",
    "Event",
    "LatePolicy",
    "Merchant",
    "MerchantCheck",
    "MerchantEvent",
    "Service",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
