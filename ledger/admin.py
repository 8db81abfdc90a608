from django.contrib import admin

from kernel.admin_columns import money_column
from kernel.admin_site import ModeFilter, ReadOnlyAdmin
from kernel.labels import POSTING_KIND
from ledger.models import ClosedBalance, ClosedDay, ClosedPart, Closing, Posting


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin):
    value_context = POSTING_KIND
    list_display = ["public_id", "kind", "debit_account", "credit_account", "amount", "order_id", "at"]
    list_filter = [ModeFilter]
    search_fields = ["kind__exact"]
    id_lookups = {"ord": "order_id", "per": "debit_owner", "mch": "credit_owner"}
    ordering = ["-id"]

    amount = money_column("amount_minor")


@admin.register(Closing)
class ClosingAdmin(ReadOnlyAdmin):
    list_display = ["realm", "closed_until"]
    list_filter = [ModeFilter]
    list_select_related = ["realm"]
    ordering = ["-pk"]


@admin.register(ClosedDay)
class ClosedDayAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "realm", "covers_on", "postings", "digest", "previous", "closed_at"]
    list_filter = [ModeFilter]
    list_select_related = ["realm"]
    search_fields = ["digest__exact"]
    ordering = ["-id"]


@admin.register(ClosedPart)
class ClosedPartAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "day", "place", "owner", "postings", "top"]
    list_select_related = ["day"]
    id_lookups = {"mch": "owner", "day": "day_id"}
    ordering = ["-id"]


@admin.register(ClosedBalance)
class ClosedBalanceAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "day", "code", "balance"]
    list_select_related = ["day"]
    id_lookups = {"day": "day_id"}
    ordering = ["-id"]

    balance = money_column("stands_minor", label="debits less credits")
