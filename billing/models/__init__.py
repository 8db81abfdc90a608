from billing.models.collecting import (
    Deduction,
    DeductionEvent,
    DeductionLine,
    RetryPolicy,
    Wallet,
    WalletEntry,
)
from billing.models.dispute import Dispute, DisputeAnswer, DisputeEvent, DisputeLine, DisputePolicy
from billing.models.evidence import Callback, Case, ChannelReport
from billing.models.instruments import Instrument, InstrumentChange
from billing.models.invoice import Invoice, InvoiceLine
from billing.models.outage import Outage
from billing.models.payout import Payout, PayoutAccount, PayoutAccountEvent, PayoutEvent
from billing.models.refunding import Refund, RefundEvent, RefundPart, RefundPartEvent
from billing.models.returning import Return, ReturnEvent, ReturnPolicy
from billing.models.settlement import Settlement, SettlementEvent, SettlementLine
from billing.models.standing import Standing
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
