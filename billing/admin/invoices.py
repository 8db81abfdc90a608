"""Merchants' monthly invoices in the console, and what each is made of."""

from django.contrib import admin

from billing.models import Invoice, InvoiceLine
from kernel.admin_site import ByMode, ReadOnlyAdmin
from kernel.templatetags.house import minor


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "number", "merchant__name", "period_until", "amount", "issued_at"]
    list_filter = [ByMode]
    list_select_related = ["merchant"]
    search_fields = ["seq__exact"]
    found_by = {"mch": "merchant_id", "stl": "lines__settlement_id"}
    ordering = ["-id"]

    @admin.display(description="number", ordering="seq")
    def number(self, row: Invoice) -> str:
        return row.number

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, row: Invoice) -> str:
        return minor(row.amount_minor, row.currency)


@admin.register(InvoiceLine)
class InvoiceLineAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "invoice", "settlement", "charged", "returned"]
    list_select_related = ["invoice", "settlement"]
    found_by = {"ivc": "invoice_id", "stl": "settlement_id"}
    ordering = ["-id"]

    @admin.display(description="charged", ordering="charged_minor")
    def charged(self, row: InvoiceLine) -> str:
        return minor(row.charged_minor, row.invoice.currency)

    @admin.display(description="returned", ordering="returned_minor")
    def returned(self, row: InvoiceLine) -> str:
        return minor(row.returned_minor, row.invoice.currency)
