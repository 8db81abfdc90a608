from billing.models.collecting import (
    Deduction,
    DeductionEvent,
    DeductionLine,
    RetryPolicy,
    Wallet,
    WalletEntry,
)
from billing.models.evidence import Callback, Case, ChannelReport
from billing.models.instruments import Instrument, InstrumentChange
from billing.models.outage import Outage
from billing.models.refunding import Refund, RefundEvent, RefundPart, RefundPartEvent
from billing.models.statements import Break, StatementFile, StatementLine

__all__ = [
    "Break",
    "Callback",
    "Case",
    "ChannelReport",
    "Deduction",
    "DeductionEvent",
    "DeductionLine",
    "Instrument",
    "InstrumentChange",
    "Outage",
    "Refund",
    "RefundEvent",
    "RefundPart",
    "RefundPartEvent",
    "RetryPolicy",
    "StatementFile",
    "StatementLine",
    "Wallet",
    "WalletEntry",
]
