from django.contrib import admin

from kernel.admin_site import ReadOnlyAdmin
from kernel.templatetags.house import minor
from ledger.models import Posting


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "kind", "debit_account", "credit_account", "amount", "order_id", "at"]
    list_filter = ["realm__mode"]
    search_fields = ["kind__exact"]
    found_by = {"ord": "order_id", "per": "debit_owner", "mch": "credit_owner"}
    ordering = ["-id"]

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, row: Posting) -> str:
        return minor(row.amount_minor, row.currency)
