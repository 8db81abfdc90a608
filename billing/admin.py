from django.contrib import admin

from billing.models import (
    Break,
    Callback,
    Case,
    ChannelReport,
    Deduction,
    DeductionEvent,
    DeductionLine,
    Instrument,
    InstrumentChange,
    Outage,
    Refund,
    RefundEvent,
    RefundPart,
    RefundPartEvent,
    RetryPolicy,
    StatementFile,
    StatementLine,
    Wallet,
    WalletEntry,
)
from kernel.admin_site import HistoryAdmin, ReadOnlyAdmin
from kernel.templatetags.house import minor


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "channel", "label", "priority", "state", "dead_because", "created_at"]
    list_filter = ["state", "realm__mode"]
    list_select_related = ["person"]
    found_by = {"per": "person_id"}
    hidden = frozenset({"token", "name"})
    ordering = ["-id"]


@admin.register(InstrumentChange)
class InstrumentChangeAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "instrument", "person", "verb", "data", "by", "at"]
    list_filter = ["verb"]
    list_select_related = ["instrument", "person"]
    found_by = {"per": "person_id", "ins": "instrument_id"}
    ordering = ["-id"]


@admin.register(RetryPolicy)
class RetryPolicyAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "name", "version", "effective_from", "reason", "by", "at"]
    search_fields = ["name__exact"]
    ordering = ["name", "-version"]


@admin.register(Outage)
class OutageAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "channel", "reason", "began_at", "began_by", "ended_at", "ended_by", "ended_because"]
    search_fields = ["channel__exact"]
    ordering = ["-id"]


@admin.register(Deduction)
class DeductionAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "state", "purpose", "person", "channel", "amount", "failure_code", "prepared_at"]
    list_filter = ["state", "purpose", "realm__mode"]
    list_select_related = ["person"]
    search_fields = ["channel_txn__exact"]
    found_by = {"per": "person_id", "ins": "instrument_id", "ord": "lines__order_id", "obl": "lines__obligation_id"}
    ordering = ["-id"]

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, row: Deduction) -> str:
        return minor(row.amount_minor, row.currency)


@admin.register(DeductionEvent)
class DeductionEventAdmin(HistoryAdmin):
    found_by = {"ded": "subject_id"}


@admin.register(DeductionLine)
class DeductionLineAdmin(ReadOnlyAdmin):
    list_display = ["deduction", "obligation", "order", "merchant__name", "amount", "attempt", "live"]
    list_filter = ["live"]
    list_select_related = ["deduction", "obligation", "order", "merchant"]
    found_by = {"ded": "deduction_id", "obl": "obligation_id", "ord": "order_id", "mch": "merchant_id"}
    ordering = ["-id"]

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, row: DeductionLine) -> str:
        return minor(row.amount_minor, row.deduction.currency)


@admin.register(ChannelReport)
class ChannelReportAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "deduction", "refund_part", "source", "outcome", "code", "channel_txn", "at"]
    list_select_related = ["deduction", "refund_part"]
    search_fields = ["channel_txn__exact"]
    found_by = {"ded": "deduction_id", "rfp": "refund_part_id"}
    ordering = ["-id"]


@admin.register(Callback)
class CallbackAdmin(ReadOnlyAdmin):
    list_display = ["id", "channel", "notify_id", "at"]
    search_fields = ["notify_id__exact"]
    also = ("as_it_came",)
    ordering = ["-id"]

    @admin.display(description="raw")
    def as_it_came(self, row: Callback) -> str:
        return bytes(row.raw).decode("utf-8", "replace")


@admin.register(Case)
class CaseAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "kind", "deduction", "refund_part", "opened_at", "closed_at"]
    list_filter = ["realm__mode"]
    list_select_related = ["deduction", "refund_part"]
    found_by = {"ded": "deduction_id", "rfp": "refund_part_id"}
    ordering = ["-id"]


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    list_display = ["person", "realm", "balance"]
    list_select_related = ["person", "realm"]
    found_by = {"per": "pk"}
    ordering = ["-pk"]

    @admin.display(description="balance", ordering="balance_minor")
    def balance(self, row: Wallet) -> str:
        return minor(row.balance_minor, row.currency)


@admin.register(WalletEntry)
class WalletEntryAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "amount_minor", "number", "at"]
    list_select_related = ["person"]
    search_fields = ["number__exact"]
    found_by = {"per": "person_id"}
    ordering = ["-id"]


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "state", "order", "merchant__name", "amount", "returned", "created_at", "resolved_at"]
    list_filter = ["state", "realm__mode"]
    list_select_related = ["order", "merchant"]
    search_fields = ["out_refund_no__exact"]
    found_by = {"ord": "order_id", "per": "person_id", "mch": "merchant_id"}
    ordering = ["-id"]

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, row: Refund) -> str:
        return minor(row.amount_minor, row.currency)

    @admin.display(description="returned", ordering="returned_minor")
    def returned(self, row: Refund) -> str:
        return minor(row.returned_minor, row.currency)


@admin.register(RefundEvent)
class RefundEventAdmin(HistoryAdmin):
    found_by = {"rfd": "subject_id"}


@admin.register(RefundPart)
class RefundPartAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "state", "refund", "channel", "amount", "failure_code", "prepared_at"]
    list_filter = ["state", "realm__mode"]
    list_select_related = ["refund"]
    search_fields = ["channel_txn__exact"]
    found_by = {"rfd": "refund_id", "ded": "taken__deduction_id"}
    ordering = ["-id"]

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, row: RefundPart) -> str:
        return minor(row.amount_minor, row.currency)


@admin.register(RefundPartEvent)
class RefundPartEventAdmin(HistoryAdmin):
    found_by = {"rfp": "subject_id"}


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
    list_filter = ["realm__mode"]
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
    list_display = ["public_id", "kind", "channel", "theirs", "ours", "opened_at", "wanted", "resolution", "closed_at"]
    list_filter = ["kind", "resolution", "realm__mode"]
    search_fields = ["line__channel_txn__exact"]
    found_by = {"ded": "deduction_id", "rfp": "refund_part_id", "stm": "statement_id"}
    ordering = ["-id"]

    @admin.display(description="theirs", ordering="theirs_minor")
    def theirs(self, row: Break) -> str:
        return "" if row.theirs_minor is None else minor(row.theirs_minor, row.theirs_currency)

    @admin.display(description="ours", ordering="ours_minor")
    def ours(self, row: Break) -> str:
        return "" if row.ours_minor is None else minor(row.ours_minor, row.ours_currency)
