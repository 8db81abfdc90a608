"""The cast: a few named people and shops whose situations tell the story. Made by services, as in life."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings

from accounts.models import Person
from billing.channels.bank import Behaviour
from billing.services.instruments import Script, script_person
from bnpl.invariants import violations
from credit import services as credit
from credit.models import Agreement
from kernel.actor import Actor
from kernel.money import Money
from merchants import services as merchants
from merchants.models import Merchant, Service
from orders import services as orders
from orders.models import Order
from orders.services import age

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
BY = Actor.system("test")
# An example may take as long as it takes: the machine has other things to do as well.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def yuan(text: str) -> Money:
    whole, _, part = text.partition(".")
    return Money(int(whole) * 100 + int(part.ljust(2, "0") or 0))


@dataclass(frozen=True)
class Shop:
    """A sandbox merchant, its key and its one service."""

    merchant: Merchant
    live: Merchant
    secret: str
    service: Service

    @property
    def realm_id(self) -> int:
        return self.merchant.realm_id


def make_shop(name: str, **terms: Any) -> Shop:
    sandbox, live = merchants.join_merchant(name, by=BY, at=NOON)
    _key, secret = merchants.issue_key(sandbox.id, by=BY, at=NOON)
    standard = {"name": name, "mode": "dynamic", "ceiling_minor": 9900, "currency": "CNY"}
    service = merchants.offer_service(sandbox.id, standard | terms, by=BY, at=NOON)
    return Shop(sandbox, live, secret, service)


@pytest.fixture
def power_bank(db: None) -> Shop:
    """Shared power banks: what is owed is known when one is returned; at most ¥99."""
    return make_shop("来电充电宝")


@pytest.fixture
def shop(db: None) -> Shop:
    """An online shop: the amount is known when ordering, and the person confirms."""
    return make_shop("云上小店", mode="fixed", confirmation=True, ceiling_minor=500_00)


@pytest.fixture
def parcel(db: None) -> Shop:
    """Parcel post, paid in advance to the merchant."""
    return make_shop("飞鸽快递", funding="advance", fee_bps=100, ceiling_minor=20_000)


def someone(shop: Shop, behaviour: str = "pays", name: str = "艾达", **script: Any) -> Person:
    """A person in this shop's sandbox whose bank account behaves so."""
    made = Script(Behaviour(behaviour), **script)
    return script_person(name, made, realm_id=shop.realm_id, by=BY, at=NOON)


def opened(shop: Shop, person: Person, *, at: datetime = NOON) -> Agreement:
    """The person has opened the shop's service."""
    agreement = credit.request_agreement(shop.merchant.id, shop.service.id, "u-1", by=BY, at=at)
    signing = credit.sign_agreement(agreement.id, person.id, by=BY, at=at)
    assert signing.decision.approved, signing.decision.reasons
    return signing.agreement


_numbers = iter(range(1, 10**9))


def ordered(shop: Shop, agreement: Agreement, *, at: datetime = NOON, **wish: Any) -> Order:
    """The person has ordered."""
    standard = {
        "agreement_id": agreement.id,
        "out_order_no": f"T{next(_numbers)}",
        "title": "充电宝",
        "currency": "CNY",
    }
    if shop.service.mode == "fixed":
        standard["amount"] = 4990
    opening = orders.open_order(shop.merchant.id, orders.Wish(**(standard | wish)), by=BY, at=at)
    assert opening.order is not None, opening.decision
    if opening.order.state == "created":
        opening = orders.confirm_order(opening.order.id, by=BY, at=at)
        assert opening.order is not None
    return opening.order


def completed(shop: Shop, person: Person, amount: Money, *, at: datetime = NOON, **final: Any) -> Order:
    """The person has used the service, and owes this much."""
    order = ordered(shop, opened(shop, person, at=at), at=at)
    return orders.complete_order(order.id, orders.Final(total=amount.minor, **final), by=BY, at=at)


def state_of(order: Order) -> str:
    return str(Order.objects.values_list("state", flat=True).get(pk=order.pk))


@pytest.fixture
def ada(power_bank: Shop) -> Person:
    """Ada pays at once."""
    return someone(power_bank)


@pytest.fixture
def fees(db: None) -> Shop:
    """A shop with late fees: half a percent a day, a tenth at most."""
    return make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=1000)


@pytest.fixture
def all_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are closed as if all that was planned had been asked for in time: for tests of days and fees alone."""
    monkeypatch.setattr(age, "was_asked", lambda *_args, **_how: True)


@pytest.fixture
def later() -> Callable[..., datetime]:
    return lambda **span: NOON + timedelta(**span)


def fresh(order_id: UUID) -> Order:
    return Order.objects.get(pk=order_id)


@pytest.fixture(autouse=True)
def what_must_always_be_true(
    request: pytest.FixtureRequest, lasting: Callable[[], AbstractContextManager[None]]
) -> Iterator[None]:
    """After every test that touched the database, everything that must always be true is."""
    uses_database = {"db", "transactional_db"} & set(request.fixturenames)
    if uses_database:
        request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")
    yield
    if uses_database and not request.node.get_closest_marker("breaks_the_house"):
        with lasting():
            assert list(violations(often=True)) == []
