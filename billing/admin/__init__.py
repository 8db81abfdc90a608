"""Billing models in the operations console, read-only."""

from django.contrib import admin

from billing.admin import disputes, invoices, returns, statements
from billing.models import (
    Callback,
    ChannelReport,
    Deduction,
    DeductionEvent,
    DeductionLine,
    Instrument,
    InstrumentChange,
    Outage,
    Payout,
    PayoutAccount,
    PayoutAccountEvent,
    PayoutEvent,
    Refund,
    RefundEvent,
    RefundPart,
    RefundPartEvent,
    RetryPolicy,
    Settlement,
    SettlementEvent,
    SettlementLine,
    Standing,
    Wallet,
    WalletEntry,
)
from kernel.admin_columns import money_column
from kernel.admin_site import HistoryAdmin, ModeFilter, ReadOnlyAdmin
from kernel.labels import CHANNEL_ANSWER

__all__ = ["disputes", "invoices", "returns", "statements"]


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    is_personal_data = True
    list_display = ["public_id", "person", "channel", "label", "priority", "state", "dead_because", "created_at"]
    list_filter = ["state", ModeFilter]
    list_select_related = ["person"]
    id_lookups = {"per": "person_id"}
    hidden_fields = frozenset({"token", "name"})
    ordering = ["-id"]


@admin.register(InstrumentChange)
class InstrumentChangeAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "instrument", "person", "verb", "data", "by", "at"]
    list_filter = ["verb"]
    list_select_related = ["instrument", "person"]
    id_lookups = {"per": "person_id", "ins": "instrument_id"}
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
    list_filter = ["state", "purpose", ModeFilter]
    list_select_related = ["person"]
    search_fields = ["channel_txn__exact"]
    id_lookups = {"per": "person_id", "ins": "instrument_id", "ord": "lines__order_id", "obl": "lines__obligation_id"}
    ordering = ["-id"]

    amount = money_column("amount_minor")


@admin.register(DeductionEvent)
class DeductionEventAdmin(HistoryAdmin):
    id_lookups = {"ded": "subject_id"}


@admin.register(DeductionLine)
class DeductionLineAdmin(ReadOnlyAdmin):
    list_display = ["deduction", "obligation", "order", "merchant__name", "amount", "attempt", "live"]
    list_filter = ["live"]
    list_select_related = ["deduction", "obligation", "order", "merchant"]
    id_lookups = {"ded": "deduction_id", "obl": "obligation_id", "ord": "order_id", "mch": "merchant_id"}
    ordering = ["-id"]

    amount = money_column("amount_minor", currency="deduction__currency")


@admin.register(ChannelReport)
class ChannelReportAdmin(ReadOnlyAdmin):
    value_context = CHANNEL_ANSWER
    list_display = ["public_id", "deduction", "refund_part", "source", "outcome", "code", "channel_txn", "at"]
    list_select_related = ["deduction", "refund_part"]
    search_fields = ["channel_txn__exact"]
    id_lookups = {"ded": "deduction_id", "rfp": "refund_part_id"}
    ordering = ["-id"]


@admin.register(Callback)
class CallbackAdmin(ReadOnlyAdmin):
    list_display = ["id", "channel", "notify_id", "at"]
    search_fields = ["notify_id__exact"]
    extra_fields = ("raw_text",)
    ordering = ["-id"]

    @admin.display(description="raw")
    def raw_text(self, row: Callback) -> str:
        return bytes(row.raw).decode("utf-8", "replace")


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    list_display = ["person", "realm", "balance"]
    list_select_related = ["person", "realm"]
    id_lookups = {"per": "pk"}
    ordering = ["-pk"]

    balance = money_column("balance_minor")


@admin.register(WalletEntry)
class WalletEntryAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "person", "amount_minor", "number", "at"]
    list_select_related = ["person"]
    search_fields = ["number__exact"]
    id_lookups = {"per": "person_id"}
    ordering = ["-id"]


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "state", "order", "merchant__name", "amount", "returned", "created_at", "resolved_at"]
    list_filter = ["state", ModeFilter]
    list_select_related = ["order", "merchant"]
    search_fields = ["out_refund_no__exact"]
    id_lookups = {"ord": "order_id", "per": "person_id", "mch": "merchant_id"}
    ordering = ["-id"]

    amount = money_column("amount_minor")
    returned = money_column("returned_minor")


@admin.register(RefundEvent)
class RefundEventAdmin(HistoryAdmin):
    id_lookups = {"rfd": "subject_id"}


@admin.register(RefundPart)
class RefundPartAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "state", "refund", "channel", "amount", "failure_code", "prepared_at"]
    list_filter = ["state", ModeFilter]
    list_select_related = ["refund"]
    search_fields = ["channel_txn__exact"]
    id_lookups = {"rfd": "refund_id", "ded": "taken__deduction_id"}
    ordering = ["-id"]

    amount = money_column("amount_minor")


@admin.register(RefundPartEvent)
class RefundPartEventAdmin(HistoryAdmin):
    id_lookups = {"rfp": "subject_id"}


@admin.register(Settlement)
class SettlementAdmin(ReadOnlyAdmin):
    list_display = [
        "public_id",
        "state",
        "merchant__name",
        "period_until",
        "gross",
        "fees",
        "refunds",
        "net",
        "paid_at",
    ]
    list_filter = ["state", ModeFilter]
    list_select_related = ["merchant"]
    id_lookups = {"mch": "merchant_id", "sln": "lines", "pyo": "payout", "ord": "lines__order_id"}
    ordering = ["-id"]

    gross = money_column("gross_minor")
    fees = money_column("fees_minor")
    refunds = money_column("refunds_minor")
    net = money_column("net_minor")


@admin.register(SettlementEvent)
class SettlementEventAdmin(HistoryAdmin):
    id_lookups = {"stl": "subject_id"}


@admin.register(SettlementLine)
class SettlementLineAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "settlement", "kind", "amount", "order_id", "posting", "earlier", "at"]
    list_filter = ["kind"]
    list_select_related = ["settlement", "posting", "earlier"]
    id_lookups = {"stl": "settlement_id", "ord": "order_id", "pst": "posting_id", "mch": "merchant_id"}
    ordering = ["-id"]

    amount = money_column("amount_minor", currency="settlement__currency")


@admin.register(Standing)
class StandingAdmin(ReadOnlyAdmin):
    list_display = ["merchant__name", "currency", "payable", "pending", "reserve", "fees", "credited"]
    list_select_related = ["merchant"]
    id_lookups = {"mch": "merchant_id"}
    ordering = ["-id"]

    payable = money_column("payable_minor")
    pending = money_column("pending_minor")
    reserve = money_column("reserve_minor")
    fees = money_column("fees_minor")
    credited = money_column("credited_minor")


@admin.register(Payout)
class PayoutAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "state", "merchant__name", "settlement", "amount", "failure_code", "sent_at"]
    list_filter = ["state", ModeFilter]
    list_select_related = ["merchant", "settlement"]
    search_fields = ["channel_txn__exact"]
    id_lookups = {"mch": "merchant_id", "stl": "settlement_id", "pac": "account_id"}
    ordering = ["-id"]

    amount = money_column("amount_minor")


@admin.register(PayoutEvent)
class PayoutEventAdmin(HistoryAdmin):
    id_lookups = {"pyo": "subject_id"}


@admin.register(PayoutAccount)
class PayoutAccountAdmin(ReadOnlyAdmin):
    list_display = [
        "public_id",
        "state",
        "merchant__name",
        "holder",
        "bank",
        "number_masked",
        "asked_at",
        "effective_at",
    ]
    list_filter = ["state", ModeFilter]
    list_select_related = ["merchant"]
    id_lookups = {"mch": "merchant_id"}
    ordering = ["-id"]


@admin.register(PayoutAccountEvent)
class PayoutAccountEventAdmin(HistoryAdmin):
    id_lookups = {"pac": "subject_id"}
