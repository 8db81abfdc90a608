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
from kernel.admin_columns import computed_column, money_column
from kernel.admin_site import HistoryAdmin, ModeFilter, ReadOnlyAdmin


@admin.register(Profile)
class ProfileAdmin(ReadOnlyAdmin):
    list_display = ["person", "score", "band", "limit", "held", "outstanding", "open_orders", "overdue_orders"]
    list_select_related = ["person"]
    list_filter = [ModeFilter]
    id_lookups = {"per": "pk"}
    extra_fields = ("band",)
    ordering = ["-pk"]

    band = computed_column("score", compute=rules.band_of, description="band")
    limit = money_column("limit_minor")
    held = money_column("held_minor")
    outstanding = money_column("outstanding_minor")


@admin.register(CurrencyLimit)
class CurrencyLimitAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "currency", "limit_minor", "held_minor", "outstanding_minor", "created_at"]
    list_select_related = ["person"]
    id_lookups = {"per": "person_id"}
    ordering = ["-id"]


@admin.register(Agreement)
class AgreementAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "state", "merchant__name", "service__name", "person", "live_orders", "created_at"]
    list_filter = ["state", ModeFilter]
    list_select_related = ["merchant", "service", "person"]
    search_fields = ["person_ref__exact"]
    id_lookups = {"per": "person_id", "mch": "merchant_id", "svc": "service_id"}
    ordering = ["-id"]


@admin.register(AgreementEvent)
class AgreementEventAdmin(HistoryAdmin):
    id_lookups = {"agr": "subject_id"}


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    is_personal_data = True
    list_display = ["public_id", "occasion", "approved", "reasons", "person", "merchant__name", "out_order_no", "at"]
    list_filter = ["occasion", "approved", ModeFilter]
    list_select_related = ["person", "merchant"]
    search_fields = ["out_order_no__exact"]
    id_lookups = {"per": "person_id", "mch": "merchant_id", "agr": "agreement_id"}
    ordering = ["-id"]


@admin.register(ScoreChange)
class ScoreChangeAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "reason", "delta", "score", "order_id", "at"]
    list_select_related = ["person"]
    id_lookups = {"per": "person_id", "ord": "order_id"}
    ordering = ["-id"]


@admin.register(LimitChange)
class LimitChangeAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "currency", "before_minor", "limit_minor", "pinned", "reason", "by", "at"]
    list_select_related = ["person"]
    search_fields = ["by__exact"]
    id_lookups = {"per": "person_id"}
    ordering = ["-id"]


@admin.register(LimitPolicy)
class LimitPolicyAdmin(ReadOnlyAdmin):
    list_display = ["version", "effective_from", "terms", "reason", "by", "at"]
    ordering = ["-version"]
