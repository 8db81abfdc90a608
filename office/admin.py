from django.contrib import admin

from kernel.admin_site import ReadOnlyAdmin
from kernel.templatetags.house import minor
from office.models import Counted, Tally


@admin.register(Tally)
class TallyAdmin(ReadOnlyAdmin):
    list_display = ["day_on", "metric", "key", "number", "amount", "merchant", "service", "realm"]
    list_filter = ["realm__mode"]
    list_select_related = ["merchant", "service", "realm"]
    search_fields = ["metric__exact"]
    found_by = {"mch": "merchant_id", "svc": "service_id"}
    ordering = ["-id"]

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, row: Tally) -> str:
        return minor(row.amount_minor, row.currency) if row.currency else ""


@admin.register(Counted)
class CountedAdmin(ReadOnlyAdmin):
    list_display = ["stream", "counted_until", "last"]
    ordering = ["stream"]
