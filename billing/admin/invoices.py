"""Merchants' monthly invoices and their lines in the console."""

from django.contrib import admin

from billing.models import Invoice, InvoiceLine
from billing.models.invoices import format_invoice_number
from kernel.admin_columns import computed_column, money_column
from kernel.admin_site import ModeFilter, ReadOnlyAdmin


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "number", "merchant__name", "period_until", "amount", "issued_at"]
    list_filter = [ModeFilter]
    list_select_related = ["merchant"]
    search_fields = ["seq__exact"]
    id_lookups = {"mch": "merchant_id", "stl": "lines__settlement_id"}
    ordering = ["-id"]

    number = computed_column("seq", compute=format_invoice_number, description="number", ordering="seq")
    amount = money_column("amount_minor")


@admin.register(InvoiceLine)
class InvoiceLineAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "invoice", "settlement", "charged", "returned"]
    list_select_related = ["invoice", "settlement"]
    id_lookups = {"ivc": "invoice_id", "stl": "settlement_id"}
    ordering = ["-id"]

    charged = money_column("charged_minor", currency="invoice__currency")
    returned = money_column("returned_minor", currency="invoice__currency")
