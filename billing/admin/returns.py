"""Returns in the console."""

from django.contrib import admin

from billing.models import Return, ReturnEvent, ReturnPolicy
from kernel.admin_columns import money_column
from kernel.admin_site import HistoryAdmin, ReadOnlyAdmin


@admin.register(Return)
class ReturnAdmin(ReadOnlyAdmin):
    list_display = [
        "public_id",
        "state",
        "order",
        "merchant",
        "amount_shown",
        "advance",
        "tracking_number",
        "because",
        "opened_at",
        "answer_until",
        "resolved_at",
    ]
    list_filter = ["state", "realm__mode"]
    list_select_related = ["order", "merchant", "advance"]
    search_fields = ["tracking_number__exact"]
    id_lookups = {"ord": "order_id", "per": "person_id", "mch": "merchant_id", "rfd": "advance_id"}
    ordering = ["-id"]

    amount_shown = money_column("amount_minor")


@admin.register(ReturnPolicy)
class ReturnPolicyAdmin(ReadOnlyAdmin):
    list_display = ["version", "effective_from", "terms", "reason", "by", "at"]
    ordering = ["-version"]


@admin.register(ReturnEvent)
class ReturnEventAdmin(HistoryAdmin):
    id_lookups = {"ret": "subject_id"}
