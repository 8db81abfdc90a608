"""What people send back, in the console."""

from django.contrib import admin

from billing.models import Return, ReturnEvent, ReturnPolicy
from kernel.admin_site import HistoryAdmin, ReadOnlyAdmin
from kernel.templatetags.house import minor


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
    found_by = {"ord": "order_id", "per": "person_id", "mch": "merchant_id", "rfd": "advance_id"}
    ordering = ["-id"]

    @admin.display(description="amount", ordering="amount_minor")
    def amount_shown(self, row: Return) -> str:
        return minor(row.amount_minor, row.currency)


@admin.register(ReturnPolicy)
class ReturnPolicyAdmin(ReadOnlyAdmin):
    list_display = ["version", "effective_from", "terms", "reason", "by", "at"]
    ordering = ["-version"]


@admin.register(ReturnEvent)
class ReturnEventAdmin(HistoryAdmin):
    found_by = {"ret": "subject_id"}
