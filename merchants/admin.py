from django.contrib import admin
from django.http import HttpRequest

from kernel.admin_site import ByMode, HistoryAdmin, ReadOnlyAdmin
from kernel.columns import money_of, told
from merchants.models import (
    ApiKey,
    Change,
    Event,
    LatePolicy,
    Merchant,
    MerchantCheck,
    MerchantEvent,
    Service,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)


@admin.register(Merchant)
class MerchantAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "name", "mode", "state", "contact", "created_at"]
    list_filter = [ByMode, "state"]
    list_select_related = ["realm"]
    search_fields = ["name"]
    ordering = ["-id"]

    mode = told("realm__mode", says=str, description="mode")


@admin.register(MerchantEvent)
class MerchantEventAdmin(HistoryAdmin):
    found_by = {"mch": "subject_id"}


@admin.register(MerchantCheck)
class MerchantCheckAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "merchant__name", "name", "passed", "evidence", "by", "at"]
    list_filter = ["passed"]
    list_select_related = ["merchant"]
    found_by = {"mch": "merchant_id"}
    ordering = ["-id"]


@admin.register(Service)
class ServiceAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "name", "merchant__name", "mode", "ceiling", "funding", "fee_bps", "state"]
    list_filter = ["mode", "funding", "state"]
    list_select_related = ["merchant"]
    search_fields = ["name"]
    found_by = {"mch": "merchant_id"}
    ordering = ["-id"]

    ceiling = money_of("ceiling_minor")


@admin.register(LatePolicy)
class LatePolicyAdmin(ReadOnlyAdmin):
    list_display = ["version", "effective_from", "terms", "reason", "by", "at"]
    ordering = ["-version"]


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "merchant__name", "name", "hint", "created_at", "used_at", "revoked_at"]
    list_select_related = ["merchant"]
    found_by = {"mch": "merchant_id"}
    ordering = ["-id"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "type", "merchant__name", "subject_id", "sequence", "at"]
    list_select_related = ["merchant"]
    search_fields = ["type__exact"]
    found_by = {"mch": "merchant_id", "ord": "subject_id", "agr": "subject_id"}
    ordering = ["-id"]


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "verb", "merchant__name", "subject_id", "by", "at"]
    list_select_related = ["merchant"]
    search_fields = ["verb__exact", "by__exact"]
    found_by = {"mch": "merchant_id", "svc": "subject_id", "key": "subject_id", "whe": "subject_id"}
    ordering = ["-id"]


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "merchant__name", "url", "state", "disabled_because", "failing_from", "failures"]
    list_filter = ["state"]
    list_select_related = ["merchant"]
    found_by = {"mch": "merchant_id"}
    ordering = ["-id"]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "event__type", "endpoint__url", "state", "tries", "reason", "next_at", "created_at"]
    list_filter = ["state", ByMode]
    list_select_related = ["event", "endpoint"]
    found_by = {"whe": "endpoint_id", "evt": "event_id", "mch": "endpoint__merchant_id"}
    ordering = ["-id"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The work under way links to what is due to endpoints that are well."""
        return lookup == "endpoint__failing_from__isnull" or super().lookup_allowed(lookup, value, request)


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "delivery", "number", "status", "error", "latency_ms", "at"]
    list_select_related = ["delivery"]
    found_by = {"whd": "delivery_id", "whe": "delivery__endpoint_id", "evt": "delivery__event_id"}
    ordering = ["-id"]
