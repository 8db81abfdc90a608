"""Channels' statement files, discrepancies and cases in the console."""

from django.contrib import admin

from billing.models import Break, Case, StatementFile, StatementLine
from kernel.admin_columns import money_column
from kernel.admin_site import ModeFilter, ReadOnlyAdmin


@admin.register(StatementFile)
class StatementFileAdmin(ReadOnlyAdmin):
    list_display = [
        "public_id",
        "channel",
        "covers_on",
        "name",
        "lines",
        "damaged",
        "trouble",
        "imported_at",
        "read_at",
    ]
    list_filter = [ModeFilter]
    search_fields = ["digest__exact"]
    ordering = ["-id"]


@admin.register(StatementLine)
class StatementLineAdmin(ReadOnlyAdmin):
    list_display = [
        "statement",
        "place",
        "verdict",
        "kind",
        "status",
        "amount",
        "number",
        "channel_txn",
        "damage",
        "at",
    ]
    list_filter = ["verdict"]
    list_select_related = ["statement"]
    search_fields = ["channel_txn__exact"]
    id_lookups = {"stm": "statement_id"}
    ordering = ["-id"]

    amount = money_column("amount_minor")


@admin.register(Break)
class BreakAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "kind", "channel", "theirs", "ours", "opened_at", "resolution", "closed_at"]
    list_filter = ["kind", "resolution", ModeFilter]
    search_fields = ["line__channel_txn__exact"]
    id_lookups = {"ded": "deduction_id", "rfp": "refund_part_id", "stm": "statement_id"}
    ordering = ["-id"]

    theirs = money_column("theirs_minor", currency="theirs_currency")
    ours = money_column("ours_minor", currency="ours_currency")


@admin.register(Case)
class CaseAdmin(ReadOnlyAdmin):
    list_display = [
        "public_id",
        "kind",
        "deduction",
        "refund_part",
        "payout",
        "opened_at",
        "closed_at",
        "resolution",
        "closed_by",
    ]
    list_filter = [ModeFilter, "resolution"]
    list_select_related = ["deduction", "refund_part", "payout"]
    id_lookups = {"ded": "deduction_id", "rfp": "refund_part_id", "pyo": "payout_id"}
    ordering = ["-id"]
