"""Fixtures and factories of shops, people and orders, created by the services; and the invariants' check."""

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
from billing.services.instruments import Script, create_scripted_person
from bnpl.invariants import find_violations
from credit import services as credit
from credit.models import Agreement
from kernel.actor import Actor
from kernel.money import Money
from merchants import services as merchants
from merchants.models import Merchant, Service
from orders import services as orders
from orders.models import Order
from orders.services import ageing

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
BY = Actor.system("test")
# No deadline for Hypothesis examples: the machine may be busy.
settings.register_profile("bnpl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bnpl")


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
    """Shared power banks: the amount is known at the return; at most ¥99."""
    return make_shop("来电充电宝")


@pytest.fixture
def shop(db: None) -> Shop:
    """An online shop: the amount is known when ordering, and the person confirms."""
    return make_shop("云上小店", mode="fixed", confirmation=True, ceiling_minor=500_00)


@pytest.fixture
def parcel(db: None) -> Shop:
    """Parcel post, paid in advance to the merchant."""
    return make_shop("飞鸽快递", funding="advance", fee_bps=100, ceiling_minor=20_000)


def make_person(shop: Shop, behaviour: str = "pays", name: str = "艾达", **script: Any) -> Person:
    """A person in this shop's sandbox, with a bank account of this behaviour."""
    made = Script(Behaviour(behaviour), **script)
    return create_scripted_person(name, made, realm_id=shop.realm_id, by=BY, at=NOON)


def make_agreement(shop: Shop, person: Person, *, at: datetime = NOON) -> Agreement:
    """The person's signed agreement for the shop's service."""
    agreement = credit.request_agreement(shop.merchant.id, shop.service.id, "u-1", by=BY, at=at)
    signing = credit.sign_agreement(agreement.id, person.id, by=BY, at=at)
    assert signing.decision.approved, signing.decision.reasons
    return signing.agreement


_numbers = iter(range(1, 10**9))


def make_order(shop: Shop, agreement: Agreement, *, at: datetime = NOON, **wish: Any) -> Order:
    """An open order, confirmed if the shop requires it."""
    standard = {
        "agreement_id": agreement.id,
        "out_order_no": f"T{next(_numbers)}",
        "title": "充电宝",
        "currency": "CNY",
    }
    if shop.service.mode == "fixed":
        standard["amount"] = 4990
    opening = orders.open_order(shop.merchant.id, orders.OrderRequest(**(standard | wish)), by=BY, at=at)
    assert opening.order is not None, opening.decision
    if opening.order.state == "created":
        opening = orders.confirm_order(opening.order.id, by=BY, at=at)
        assert opening.order is not None
    return opening.order


def make_due_order(shop: Shop, person: Person, amount: Money, *, at: datetime = NOON, **final: Any) -> Order:
    """A completed order of this amount, with its agreement."""
    order = make_order(shop, make_agreement(shop, person, at=at), at=at)
    return orders.complete_order(order.id, orders.CompletionRequest(total=amount.minor, **final), by=BY, at=at)


def state_of(order: Order) -> str:
    return str(Order.objects.values_list("state", flat=True).get(pk=order.pk))


@pytest.fixture
def ada(power_bank: Shop) -> Person:
    """Ada pays at once."""
    return make_person(power_bank)


@pytest.fixture
def fees(db: None) -> Shop:
    """A shop with late fees: half a percent a day, a tenth at most."""
    return make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=1000)


@pytest.fixture
def all_attempted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are closed as if all planned attempts had been made in time, for tests of days and fees alone."""
    monkeypatch.setattr(ageing, "was_attempted", lambda *_args, **_how: True)


@pytest.fixture
def later() -> Callable[..., datetime]:
    return lambda **span: NOON + timedelta(**span)


def reload_order(order_id: UUID) -> Order:
    return Order.objects.get(pk=order_id)


@pytest.fixture(autouse=True)
def check_invariants(
    request: pytest.FixtureRequest, kept_connection: Callable[[], AbstractContextManager[None]]
) -> Iterator[None]:
    """Check all invariants after every test that used the database."""
    uses_database = {"db", "transactional_db"} & set(request.fixturenames)
    if uses_database:
        request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")
    yield
    if uses_database and not request.node.get_closest_marker("breaks_invariants"):
        with kept_connection():
            assert list(find_violations(prepared=True)) == []
