"""Labels of the payment methods that we name ourselves: as stored, and localized for notices."""

from collections.abc import Sequence

from accounts.notice_rules import Phrase, Value
from billing.models import Instrument

SANDBOX_CARD, WALLET_BALANCE = "沙箱银行卡", "钱包余额"
NO_INSTRUMENT_YET = Phrase({"zh-hans": "（尚无可用的扣款方式）", "en": "(no payment method yet)"})


def localized_label(label: str) -> Value:
    """An instrument's label, translated to the reader's language if we named it."""
    if label == WALLET_BALANCE:
        return Phrase({"zh-hans": WALLET_BALANCE, "en": "your wallet"})
    suffix = label.removeprefix(SANDBOX_CARD)
    return label if suffix == label else Phrase({"zh-hans": label, "en": "Sandbox bank card{card}"}, {"card": suffix})


def first_label(usable: Sequence[Instrument]) -> Value:
    """Label of the first of these instruments, or that there is none."""
    return localized_label(usable[0].label) if usable else NO_INSTRUMENT_YET
