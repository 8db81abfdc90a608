"""Channels' statement files in the console: what they say, where they part from what we have, and what is a case."""

from django.contrib import admin

from billing.models import Break, Case, StatementFile, StatementLine
from kernel.admin_site import ByMode, ReadOnlyAdmin
from kernel.columns import money_of


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
    list_filter = [ByMode]
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
    found_by = {"stm": "statement_id"}
    ordering = ["-id"]

    amount = money_of("amount_minor")


@admin.register(Break)
class BreakAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "kind", "channel", "theirs", "ours", "opened_at", "resolution", "closed_at"]
    list_filter = ["kind", "resolution", ByMode]
    search_fields = ["line__channel_txn__exact"]
    found_by = {"ded": "deduction_id", "rfp": "refund_part_id", "stm": "statement_id"}
    ordering = ["-id"]

    theirs = money_of("theirs_minor", currency="theirs_currency")
    ours = money_of("ours_minor", currency="ours_currency")


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
    list_filter = [ByMode, "resolution"]
    list_select_related = ["deduction", "refund_part", "payout"]
    found_by = {"ded": "deduction_id", "rfp": "refund_part_id", "pyo": "payout_id"}
    ordering = ["-id"]
