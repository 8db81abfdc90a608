from typing import ClassVar

from django.contrib import admin

from kernel.admin_columns import money_column
from kernel.admin_site import HistoryAdmin, ModeFilter, ReadOnlyAdmin
from orders.models import (
    Concern,
    ConcernEvent,
    EasePolicy,
    Message,
    Obligation,
    ObligationEvent,
    Order,
    OrderEvent,
    Pause,
    Plan,
)


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "state", "total", "ceiling", "merchant__name", "out_order_no", "created_at", "person"]
    list_filter = ["state", "mode", "funding", ModeFilter]
    list_select_related = ["merchant", "person"]
    search_fields = ["out_order_no__exact"]
    id_lookups = {"per": "person_id", "mch": "merchant_id", "agr": "agreement_id", "svc": "service_id"}
    ordering = ["-id"]

    ceiling = money_column("ceiling_minor")
    total = money_column("total_minor")


@admin.register(OrderEvent)
class OrderEventAdmin(HistoryAdmin):
    id_lookups = {"ord": "subject_id"}


@admin.register(Obligation)
class ObligationAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "state", "order", "person", "amount", "paid", "due_at", "collect_at", "attempts"]
    list_filter = ["state", ModeFilter]
    list_select_related = ["order", "person"]
    search_fields = ["order__out_order_no__exact"]
    id_lookups = {"ord": "order_id", "per": "person_id", "mch": "merchant_id", "ded": "in_flight"}
    ordering = ["-id"]

    amount = money_column("amount_minor")
    paid = money_column("paid_minor")


@admin.register(Pause)
class PauseAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "order", "reason", "began_at", "began_by", "ended_at", "ended_by")
    list_filter = ("reason",)
    list_select_related = ("order",)


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "obligation", "why", "at", "attempts")
    list_filter = ("why",)
    list_select_related = ("obligation",)
    id_lookups: ClassVar[dict[str, str]] = {"obl": "obligation_id", "ord": "obligation__order_id", "per": "person_id"}
    ordering = ("-id",)


@admin.register(ObligationEvent)
class ObligationEventAdmin(HistoryAdmin):
    id_lookups = {"obl": "subject_id"}


@admin.register(Concern)
class ConcernAdmin(ReadOnlyAdmin):
    is_personal_data = True
    list_display = ("public_id", "kind", "state", "outcome", "waits_for", "heard_at", "order", "person", "opened_at")
    list_filter = ("kind", "state", "waits_for", ModeFilter)
    list_select_related = ("order", "person")
    id_lookups: ClassVar[dict[str, str]] = {
        "per": "person_id",
        "ord": "order_id",
        "mch": "merchant_id",
        "dec": "decision_id",
    }
    ordering = ("-id",)


@admin.register(ConcernEvent)
class ConcernEventAdmin(HistoryAdmin):
    id_lookups = {"con": "subject_id"}


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    is_personal_data = True
    list_display = ("public_id", "concern", "author", "by", "at")
    list_filter = ("author",)
    list_select_related = ("concern",)
    id_lookups: ClassVar[dict[str, str]] = {"con": "concern_id", "per": "person_id"}
    ordering = ("-id",)


@admin.register(EasePolicy)
class EasePolicyAdmin(ReadOnlyAdmin):
    list_display = ("version", "effective_from", "terms", "reason", "by", "at")
    ordering = ("-version",)
