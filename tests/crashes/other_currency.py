"""A scenario in two currencies: a person whose own currency is the yuan uses a service in yen."""

from dataclasses import replace

from credit.models import CurrencyLimit, Profile
from merchants import services as merchants
from tests.conftest import BY, NOON, make_agreement
from tests.crashes.scenarios import AMOUNT, NEVER_PAYS, Scenario


class OtherCurrencyScenario(Scenario):
    """The basic scenario in the other currency."""

    def prepare(self) -> None:
        terms = {"name": "東京のロッカー", "currency": "JPY", "mode": "dynamic", "ceiling_minor": 5000}
        terms |= {"late_fee_daily_bps": 100, "late_fee_cap_bps": 2000}
        locker = merchants.offer_service(self.shop.merchant.id, terms, by=BY, at=NOON)
        self.agreement = make_agreement(replace(self.shop, service=locker), self.person)

    @property
    def order_body(self) -> dict[str, object]:
        return super().order_body | {"currency": "JPY"}

    def assert_recovered(self) -> None:
        """Whatever is held and owed is yen, and none of it yuan."""
        super().assert_recovered()
        yuan = Profile.objects.get(pk=self.person.pk)
        yen = CurrencyLimit.objects.get(person=self.person)
        owed = AMOUNT + AMOUNT // 100 if self.behaviour in NEVER_PAYS else 0
        assert (yuan.currency, yuan.used_minor, yuan.open_orders) == ("CNY", 0, 0)
        assert (yen.currency, yen.held_minor, yen.outstanding_minor) == ("JPY", 0, owed)
