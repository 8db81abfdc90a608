"""Tables of merchants: the tenant, its events, and its webhook endpoints and deliveries."""

from merchants.models.events import Event
from merchants.models.late_policy import LatePolicy
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
