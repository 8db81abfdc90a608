"""Channels' statement files in the console: what they say, where they part from what we have, and what is a case."""

from django.contrib import admin

from billing.models import Break, Case, StatementFile, StatementLine
from kernel.admin_site import ByMode, ReadOnlyAdmin
from kernel.templatetags.house import minor


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

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, row: StatementLine) -> str:
        return "" if row.amount_minor is None else minor(row.amount_minor, row.currency)


@admin.register(Break)
class BreakAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "kind", "channel", "theirs", "ours", "opened_at", "resolution", "closed_at"]
    list_filter = ["kind", "resolution", ByMode]
    search_fields = ["line__channel_txn__exact"]
    found_by = {"ded": "deduction_id", "rfp": "refund_part_id", "stm": "statement_id"}
    ordering = ["-id"]

    @admin.display(description="theirs", ordering="theirs_minor")
    def theirs(self, row: Break) -> str:
        return "" if row.theirs_minor is None else minor(row.theirs_minor, row.theirs_currency)

    @admin.display(description="ours", ordering="ours_minor")
    def ours(self, row: Break) -> str:
        return "" if row.ours_minor is None else minor(row.ours_minor, row.ours_currency)


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
