from django.contrib import admin

from credit import rules
from credit.models import (
    Agreement,
    AgreementEvent,
    CurrencyLimit,
    Decision,
    LimitChange,
    LimitPolicy,
    Profile,
    ScoreChange,
)
from kernel.admin_site import ByMode, HistoryAdmin, ReadOnlyAdmin
from kernel.columns import money_of, told


@admin.register(Profile)
class ProfileAdmin(ReadOnlyAdmin):
    list_display = ["person", "score", "band", "limit", "held", "outstanding", "open_orders", "overdue_orders"]
    list_select_related = ["person"]
    list_filter = [ByMode]
    found_by = {"per": "pk"}
    also = ("band",)
    ordering = ["-pk"]

    band = told("score", says=rules.band_of, description="band")
    limit = money_of("limit_minor")
    held = money_of("held_minor")
    outstanding = money_of("outstanding_minor")


@admin.register(CurrencyLimit)
class CurrencyLimitAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "currency", "limit_minor", "held_minor", "outstanding_minor", "created_at"]
    list_select_related = ["person"]
    found_by = {"per": "person_id"}
    ordering = ["-id"]


@admin.register(Agreement)
class AgreementAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "state", "merchant__name", "service__name", "person", "live_orders", "created_at"]
    list_filter = ["state", ByMode]
    list_select_related = ["merchant", "service", "person"]
    search_fields = ["person_ref__exact"]
    found_by = {"per": "person_id", "mch": "merchant_id", "svc": "service_id"}
    ordering = ["-id"]


@admin.register(AgreementEvent)
class AgreementEventAdmin(HistoryAdmin):
    found_by = {"agr": "subject_id"}


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    personal = True
    list_display = ["public_id", "occasion", "approved", "reasons", "person", "merchant__name", "out_order_no", "at"]
    list_filter = ["occasion", "approved", ByMode]
    list_select_related = ["person", "merchant"]
    search_fields = ["out_order_no__exact"]
    found_by = {"per": "person_id", "mch": "merchant_id", "agr": "agreement_id"}
    ordering = ["-id"]


@admin.register(ScoreChange)
class ScoreChangeAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "reason", "delta", "score", "order_id", "at"]
    list_select_related = ["person"]
    found_by = {"per": "person_id", "ord": "order_id"}
    ordering = ["-id"]


@admin.register(LimitChange)
class LimitChangeAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "currency", "before_minor", "limit_minor", "pinned", "reason", "by", "at"]
    list_select_related = ["person"]
    search_fields = ["by__exact"]
    found_by = {"per": "person_id"}
    ordering = ["-id"]


@admin.register(LimitPolicy)
class LimitPolicyAdmin(ReadOnlyAdmin):
    list_display = ["version", "effective_from", "terms", "reason", "by", "at"]
    ordering = ["-version"]
