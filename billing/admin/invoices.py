"""Merchants' monthly invoices in the console, and what each is made of."""

from django.contrib import admin

from billing.models import Invoice, InvoiceLine
from billing.models.invoice import number_of
from kernel.admin_site import ByMode, ReadOnlyAdmin
from kernel.columns import money_of, told


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "number", "merchant__name", "period_until", "amount", "issued_at"]
    list_filter = [ByMode]
    list_select_related = ["merchant"]
    search_fields = ["seq__exact"]
    found_by = {"mch": "merchant_id", "stl": "lines__settlement_id"}
    ordering = ["-id"]

    number = told("seq", says=number_of, description="number", ordering="seq")
    amount = money_of("amount_minor")


@admin.register(InvoiceLine)
class InvoiceLineAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "invoice", "settlement", "charged", "returned"]
    list_select_related = ["invoice", "settlement"]
    found_by = {"ivc": "invoice_id", "stl": "settlement_id"}
    ordering = ["-id"]

    charged = money_of("charged_minor", currency="invoice__currency")
    returned = money_of("returned_minor", currency="invoice__currency")
