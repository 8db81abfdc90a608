"""Merchants at any step of onboarding, created through services."""

from merchants import services as merchants
from merchants.models import Merchant
from merchants.rules import CHECKS
from tests.conftest import BY, NOON


def merchant_at(step: str, name: str = "新店") -> Merchant:
    """A live merchant at this step: newcomer, checked, approved, active or suspended."""
    asked = merchants.Application(name=name, legal_name="新店有限公司", registration="91310000MA1K0000X0")
    _sandbox, live = merchants.apply_to_join(asked, by=BY, at=NOON)
    service = {"name": "雨伞", "mode": "dynamic", "ceiling_minor": 9900}
    merchants.offer_service(live.id, service, by=BY, at=NOON)
    if step != "newcomer":
        pass_all_checks(live)
    if step in {"approved", "active", "suspended"}:
        merchants.approve_merchant(live.id, "x", by=BY, at=NOON)
    if step in {"active", "suspended"}:
        merchants.open_merchant(live.id, "x", by=BY, at=NOON)
    if step == "suspended":
        merchants.suspend_merchant(live.id, "x", by=BY, at=NOON)
    return Merchant.objects.get(pk=live.pk)


def pass_all_checks(live: Merchant) -> None:
    """Record a pass for every check."""
    for check in CHECKS:
        merchants.record_check(live.id, check, passed=True, evidence="x", by=BY, at=NOON)
