from billing.models.collecting import (
    Callback,
    Case,
    ChannelReport,
    Deduction,
    DeductionEvent,
    DeductionLine,
    RetryPolicy,
    Wallet,
    WalletEntry,
)
from billing.models.instruments import Instrument, InstrumentChange
from billing.models.outage import Outage

__all__ = [
    "Callback",
    "Case",
    "ChannelReport",
    "Deduction",
    "DeductionEvent",
    "DeductionLine",
    "Instrument",
    "InstrumentChange",
    "Outage",
    "RetryPolicy",
    "Wallet",
    "WalletEntry",
]
