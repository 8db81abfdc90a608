"""Helpers for tests of settlements and payouts."""

from datetime import datetime, timedelta

from billing.channels import bank_payouts
from billing.models import Settlement
from billing.services.payouts import pay_out_due
from billing.services.settlements import settle_due
from tests.conftest import NOON, Shop

ONE_DAY = timedelta(days=1)
#: The first midnight in Shanghai after noon there.
MIDNIGHT = NOON + timedelta(hours=12)


def payouts_received(shop: Shop) -> list[int]:
    """The payouts that really arrived at the merchant's accounts at the sandbox bank."""
    return [money.minor for money in bank_payouts.payouts_to(f"{shop.realm_id}:out:")]


def settle_and_pay_out(shop: Shop, at: datetime) -> None:
    """Run the settlement and payout jobs that are due at this time."""
    settle_due(shop.realm_id, at=at)
    pay_out_due(shop.realm_id, at=at)


def settlement_nets(shop: Shop) -> list[int]:
    """The net amount of each settlement, the first one first."""
    rows = Settlement.objects.filter(merchant=shop.merchant).order_by("id")
    return list(rows.values_list("net_minor", flat=True))
