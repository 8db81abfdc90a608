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

__all__ = [
    "Callback",
    "Case",
    "ChannelReport",
    "Deduction",
    "DeductionEvent",
    "DeductionLine",
    "Instrument",
    "RetryPolicy",
    "Wallet",
    "WalletEntry",
]
