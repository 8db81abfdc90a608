"""Tables of merchants: the tenant, what it is told, and how that gets to it."""

from merchants.models.events import Event
from merchants.models.tenant import ApiKey, Change, Merchant, Service
from merchants.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = ["ApiKey", "Change", "Event", "Merchant", "Service", "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint"]
