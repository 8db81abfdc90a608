from billing.models.cases import Callback, Case, ChannelReport
from billing.models.deductions import (
    Deduction,
    DeductionEvent,
    DeductionLine,
    RetryPolicy,
    Wallet,
    WalletEntry,
)
from billing.models.disputes import Dispute, DisputeAnswer, DisputeEvent, DisputeLine, DisputePolicy
from billing.models.instruments import Instrument, InstrumentChange
from billing.models.invoices import Invoice, InvoiceLine
from billing.models.merchant_balances import Standing
from billing.models.outages import Outage
from billing.models.payouts import Payout, PayoutAccount, PayoutAccountEvent, PayoutEvent
from billing.models.refunds import Refund, RefundEvent, RefundPart, RefundPartEvent
from billing.models.returns import Return, ReturnEvent, ReturnPolicy
from billing.models.settlements import Settlement, SettlementEvent, SettlementLine
from billing.models.statements import Break, StatementFile, StatementLine

__all__ = [
    "Break",
    "Callback",
    "Case",
    "ChannelReport",
    "Deduction",
    "DeductionEvent",
    "DeductionLine",
    "Dispute",
    "DisputeAnswer",
    "DisputeEvent",
    "DisputeLine",
    "DisputePolicy",
    "Instrument",
    "InstrumentChange",
    "Invoice",
    "InvoiceLine",
    "Outage",
    "Payout",
    "PayoutAccount",
    "PayoutAccountEvent",
    "PayoutEvent",
    "Refund",
    "RefundEvent",
    "RefundPart",
    "RefundPartEvent",
    "RetryPolicy",
    "Return",
    "ReturnEvent",
    "ReturnPolicy",
    "Settlement",
    "SettlementEvent",
    "SettlementLine",
    "Standing",
    "StatementFile",
    "StatementLine",
    "Wallet",
    "WalletEntry",
]
