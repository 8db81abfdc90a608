"""Disputes in the console."""

from django.contrib import admin

from billing.models import Dispute, DisputeAnswer, DisputeEvent, DisputeLine, DisputePolicy
from kernel.admin_columns import money_column
from kernel.admin_site import HistoryAdmin, ModeFilter, ReadOnlyAdmin


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    list_display = [
        "public_id",
        "state",
        "code",
        "bearer",
        "amount_shown",
        "channel",
        "deduction",
        "opened_at",
        "answer_until",
        "resolved_at",
    ]
    list_filter = ["state", "bearer", ModeFilter]
    list_select_related = ["deduction"]
    search_fields = ["channel_txn__exact"]
    id_lookups = {"ded": "deduction_id", "per": "person_id", "ord": "lines__order_id"}
    ordering = ["-id"]

    amount_shown = money_column("amount_minor")


@admin.register(DisputeLine)
class DisputeLineAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "dispute", "order", "merchant", "amount_shown"]
    list_select_related = ["dispute", "order", "merchant"]
    id_lookups = {"dsp": "dispute_id", "ord": "order_id", "mch": "merchant_id"}
    ordering = ["-id"]

    amount_shown = money_column("amount_minor", currency="dispute__currency")


@admin.register(DisputeAnswer)
class DisputeAnswerAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "dispute", "merchant", "statement", "tracking_number", "by", "at"]
    list_select_related = ["dispute", "merchant"]
    id_lookups = {"dsp": "dispute_id", "mch": "merchant_id"}
    ordering = ["-id"]


@admin.register(DisputePolicy)
class DisputePolicyAdmin(ReadOnlyAdmin):
    list_display = ["version", "effective_from", "terms", "reason", "by", "at"]
    ordering = ["-version"]


@admin.register(DisputeEvent)
class DisputeEventAdmin(HistoryAdmin):
    id_lookups = {"dsp": "subject_id"}
