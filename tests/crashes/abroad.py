"""A life in two currencies: somebody whose own one is the yuan uses a service in yen."""

from dataclasses import replace

from credit.models import CurrencyLimit, Profile
from merchants import services as merchants
from tests.conftest import BY, NOON, opened
from tests.crashes.lives import AMOUNT, NEVER_PAYS, Life


class IsAbroad(Life):
    """The same life as any other, in the other currency."""

    def prepare(self) -> None:
        terms = {"name": "東京のロッカー", "currency": "JPY", "mode": "dynamic", "ceiling_minor": 5000}
        terms |= {"late_fee_daily_bps": 100, "late_fee_cap_bps": 2000}
        locker = merchants.offer_service(self.shop.merchant.id, terms, by=BY, at=NOON)
        self.agreement = opened(replace(self.shop, service=locker), self.person)

    @property
    def wish(self) -> dict[str, object]:
        return super().wish | {"currency": "JPY"}

    def must_have_come_right(self) -> None:
        """Whatever is held and owed is yen, and none of it yuan."""
        super().must_have_come_right()
        yuan = Profile.objects.get(pk=self.person.pk)
        yen = CurrencyLimit.objects.get(person=self.person)
        owed = AMOUNT + AMOUNT // 100 if self.behaviour in NEVER_PAYS else 0
        assert (yuan.currency, yuan.used_minor, yuan.open_orders) == ("CNY", 0, 0)
        assert (yen.currency, yen.held_minor, yen.outstanding_minor) == ("JPY", 0, owed)
