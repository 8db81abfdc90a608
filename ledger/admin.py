from django.contrib import admin

from kernel.admin_site import ByMode, ReadOnlyAdmin
from kernel.columns import money_of
from kernel.naming import POSTED
from ledger.models import ClosedBalance, ClosedDay, ClosedPart, Closing, Posting


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin):
    speaks = POSTED
    list_display = ["public_id", "kind", "debit_account", "credit_account", "amount", "order_id", "at"]
    list_filter = [ByMode]
    search_fields = ["kind__exact"]
    found_by = {"ord": "order_id", "per": "debit_owner", "mch": "credit_owner"}
    ordering = ["-id"]

    amount = money_of("amount_minor")


@admin.register(Closing)
class ClosingAdmin(ReadOnlyAdmin):
    list_display = ["realm", "closed_until"]
    list_filter = [ByMode]
    list_select_related = ["realm"]
    ordering = ["-pk"]


@admin.register(ClosedDay)
class ClosedDayAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "realm", "covers_on", "postings", "digest", "previous", "closed_at"]
    list_filter = [ByMode]
    list_select_related = ["realm"]
    search_fields = ["digest__exact"]
    ordering = ["-id"]


@admin.register(ClosedPart)
class ClosedPartAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "day", "place", "owner", "postings", "top"]
    list_select_related = ["day"]
    found_by = {"mch": "owner", "day": "day_id"}
    ordering = ["-id"]


@admin.register(ClosedBalance)
class ClosedBalanceAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "day", "code", "stands"]
    list_select_related = ["day"]
    found_by = {"day": "day_id"}
    ordering = ["-id"]

    stands = money_of("stands_minor", called="debits less credits")
