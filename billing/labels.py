"""What ways to pay are called that only we have named: as it stands in their row, and as a notice says it."""

from accounts.wording import Phrase, Value

SANDBOX_CARD, WALLET_BALANCE = "沙箱银行卡", "钱包余额"


def named(label: str) -> Value:
    """What an instrument is called, in its reader's language where the name is one that we gave it."""
    if label == WALLET_BALANCE:
        return Phrase({"zh-hans": WALLET_BALANCE, "en": "your wallet"})
    card = label.removeprefix(SANDBOX_CARD)
    return label if card == label else Phrase({"zh-hans": label, "en": "Sandbox bank card{card}"}, {"card": card})
