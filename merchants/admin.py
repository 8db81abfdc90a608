from datetime import datetime, timedelta

from django.contrib import admin
from django.http import HttpRequest

from kernel.admin_columns import computed_column, money_column
from kernel.admin_site import HistoryAdmin, ModeFilter, ReadOnlyAdmin
from kernel.clock import now_in
from kernel.models import Realm
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
    list_filter = [ModeFilter, "state"]
    list_select_related = ["realm"]
    search_fields = ["name"]
    ordering = ["-id"]

    mode = computed_column("realm__mode", compute=str, description="mode")


@admin.register(MerchantEvent)
class MerchantEventAdmin(HistoryAdmin):
    id_lookups = {"mch": "subject_id"}


@admin.register(MerchantCheck)
class MerchantCheckAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "merchant__name", "name", "passed", "evidence", "by", "at"]
    list_filter = ["passed"]
    list_select_related = ["merchant"]
    id_lookups = {"mch": "merchant_id"}
    ordering = ["-id"]


def _fee_in_effect(
    bps: int, next_bps: int | None, since: datetime | None, clock_offset: timedelta, frozen_at: datetime | None
) -> int:
    """The fee for orders opened now, by the clock of the service's environment."""
    now = now_in(Realm(clock_offset=clock_offset, frozen_at=frozen_at))
    return Service(fee_bps=bps, next_fee_bps=next_bps, next_fee_from=since).fee_bps_at(now)


@admin.register(Service)
class ServiceAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "name", "merchant__name", "mode", "ceiling", "funding", "fee_in_effect", "state"]
    list_filter = ["mode", "funding", "state"]
    list_select_related = ["merchant__realm"]
    search_fields = ["name"]
    id_lookups = {"mch": "merchant_id"}
    ordering = ["-id"]

    ceiling = money_column("ceiling_minor")
    fee_in_effect = computed_column(
        "fee_bps",
        "next_fee_bps",
        "next_fee_from",
        "merchant__realm__clock_offset",
        "merchant__realm__frozen_at",
        compute=_fee_in_effect,
        description="fee bps",
        ordering="fee_bps",
    )


@admin.register(LatePolicy)
class LatePolicyAdmin(ReadOnlyAdmin):
    list_display = ["version", "effective_from", "terms", "reason", "by", "at"]
    ordering = ["-version"]


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "merchant__name", "name", "hint", "created_at", "used_at", "revoked_at"]
    list_select_related = ["merchant"]
    id_lookups = {"mch": "merchant_id"}
    ordering = ["-id"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "type", "merchant__name", "subject_id", "sequence", "at"]
    list_select_related = ["merchant"]
    search_fields = ["type__exact"]
    id_lookups = {"mch": "merchant_id", "ord": "subject_id", "agr": "subject_id"}
    ordering = ["-id"]


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "verb", "merchant__name", "subject_id", "by", "at"]
    list_select_related = ["merchant"]
    search_fields = ["verb__exact", "by__exact"]
    id_lookups = {"mch": "merchant_id", "svc": "subject_id", "key": "subject_id", "whe": "subject_id"}
    ordering = ["-id"]


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "merchant__name", "url", "state", "disabled_because", "failing_from", "failures"]
    list_filter = ["state"]
    list_select_related = ["merchant"]
    id_lookups = {"mch": "merchant_id"}
    ordering = ["-id"]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "event__type", "endpoint__url", "state", "tries", "reason", "next_at", "created_at"]
    list_filter = ["state", ModeFilter]
    list_select_related = ["event", "endpoint"]
    id_lookups = {"whe": "endpoint_id", "evt": "event_id", "mch": "endpoint__merchant_id"}
    ordering = ["-id"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Permit the filter that the page "Work in progress" links to: deliveries to healthy endpoints."""
        return lookup == "endpoint__failing_from__isnull" or super().lookup_allowed(lookup, value, request)


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "delivery", "number", "status", "error", "latency_ms", "at"]
    list_select_related = ["delivery"]
    id_lookups = {"whd": "delivery_id", "whe": "delivery__endpoint_id", "evt": "delivery__event_id"}
    ordering = ["-id"]
