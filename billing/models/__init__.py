from billing.models.collecting import (
    Callback,
    Case,
    ChannelReport,
    Deduction,
    DeductionEvent,
    DeductionLine,
    Instrument,
    RetryPolicy,
    Wallet,
    WalletEntry,
)
from billing.models.outage import Outage

__all__ = [
    "Callback",
    "Case",
    "ChannelReport",
    "Deduction",
    "DeductionEvent",
    "DeductionLine",
    "Instrument",
    "Outage",
    "RetryPolicy",
    "Wallet",
    "WalletEntry",
]
