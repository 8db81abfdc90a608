"""Labels of the payment methods that we name ourselves: as stored, and localized for notices."""

from accounts.notice_rules import Phrase, Value

SANDBOX_CARD, WALLET_BALANCE = "沙箱银行卡", "钱包余额"


def localized_label(label: str) -> Value:
    """An instrument's label, translated to the reader's language if we named it."""
    if label == WALLET_BALANCE:
        return Phrase({"zh-hans": WALLET_BALANCE, "en": "your wallet"})
    suffix = label.removeprefix(SANDBOX_CARD)
    return label if suffix == label else Phrase({"zh-hans": label, "en": "Sandbox bank card{card}"}, {"card": suffix})
