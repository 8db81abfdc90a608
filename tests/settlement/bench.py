"""What the tests of settlement ask again and again."""

from datetime import datetime, timedelta

from billing.channels import bank_payouts
from billing.models import Settlement
from billing.services.payouts import pay_out_due
from billing.services.settlement import settle_due
from tests.conftest import NOON, Shop

ONE_DAY = timedelta(days=1)
#: The first midnight in Shanghai after noon there.
MIDNIGHT = NOON + timedelta(hours=12)


def arrived(shop: Shop) -> list[int]:
    """What really came to the merchant's accounts at the bank."""
    return [money.minor for money in bank_payouts.payouts_to(f"{shop.realm_id}:out:")]


def day_ends(shop: Shop, at: datetime) -> None:
    """What the beat does at that moment."""
    settle_due(shop.realm_id, at=at)
    pay_out_due(shop.realm_id, at=at)


def nets(shop: Shop) -> list[int]:
    """What each settlement came to, the first one first."""
    rows = Settlement.objects.filter(merchant=shop.merchant).order_by("id")
    return list(rows.values_list("net_minor", flat=True))
