"""The late fee terms that orders open with, and the preview of another policy."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.services.deduct import deduct_due
from kernel.money import Money
from merchants import services as merchants
from merchants.rules import LateBounds
from orders import services as orders
from orders.models import Order
from orders.services import late_fee_policy
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, make_shop, reload_order
from tests.late_policy import FIRST, publish_late_policy
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.usefixtures("all_attempted")

A_DAY = timedelta(days=1)
#: No grace; 1 % a day, at most a fifth.
HARSH: dict[str, Any] = {"grace": timedelta(), "late_fee_daily_bps": 100, "late_fee_cap_bps": 2000}


@pytest.fixture
def strict_shop(db: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = make_shop("严格", ceiling_minor=20_000, **HARSH)
    monkeypatch.setattr(late_fee_policy, "LIVE", shop.realm_id)
    return shop


def terms_of(order: Order) -> tuple[timedelta, int, int]:
    return order.grace, order.late_fee_daily_bps, order.late_fee_cap_bps


def late(shop: Shop, minor: int, *, days: int) -> Order:
    """An order completed at noon that could not be collected, so many days ago."""
    order = make_order(shop, make_agreement(shop, make_person(shop, "no_funds")), currency=shop.service.currency)
    orders.complete_order(order.id, orders.CompletionRequest(total=minor), by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    for hours in range(0, days * 24 + 1, 6):
        orders.mark_overdue(shop.realm_id, at=NOON + timedelta(hours=hours), limit=99)
        orders.close_days(shop.realm_id, at=NOON + timedelta(hours=hours), limit=99)
    return order


def fee_of(order: Order) -> int:
    return sum(order.obligations.filter(kind="late_fee").values_list("amount_minor", flat=True))


def test_new_orders_get_the_more_lenient_terms_and_open_ones_keep_theirs(strict_shop: Shop) -> None:
    person = make_person(strict_shop)
    agreement = make_agreement(strict_shop, person)
    before = make_order(strict_shop, agreement, ceiling=600)
    publish_late_policy(NOON, grace_hours_least=96, daily_bps_most=50, cap_bps_most=3000)
    publish_late_policy(NOON + A_DAY, grace_hours_least=24, daily_bps_most=0)
    eve = make_order(strict_shop, agreement, ceiling=600, at=NOON - timedelta(seconds=1))
    during = make_order(strict_shop, agreement, ceiling=600, at=NOON)
    after = make_order(strict_shop, agreement, ceiling=600, at=NOON + A_DAY)
    assert terms_of(before) == terms_of(eve) == (timedelta(), 100, 2000)
    assert terms_of(during) == (timedelta(hours=96), 50, 2000)
    assert terms_of(after) == (timedelta(hours=24), 0, 2000)
    assert terms_of(reload_order(before.id)) == (timedelta(), 100, 2000)
    done = orders.complete_order(during.id, orders.CompletionRequest(total=600), by=BY, at=NOON + A_DAY)
    assert done.obligations.get().overdue_from == NOON + A_DAY + timedelta(hours=96)


def test_an_older_version_comes_back(strict_shop: Shop) -> None:
    publish_late_policy(NOON, daily_bps_most=0)
    publish_late_policy(NOON, **FIRST)
    assert terms_of(make_order(strict_shop, make_agreement(strict_shop, make_person(strict_shop)))) == (
        timedelta(),
        100,
        2000,
    )


def test_what_waits_for_its_person_keeps_the_terms_it_was_asked_under(db: None) -> None:
    shop = make_shop("小店", mode="fixed", confirmation=True, **HARSH)
    agreement = make_agreement(shop, make_person(shop))
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no="1", title="x", currency="CNY", amount=100)
    waiting = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert waiting is not None
    publish_late_policy(NOON, daily_bps_most=0)
    confirmed = orders.confirm_order(waiting.id, by=BY, at=NOON).order
    assert confirmed is not None
    assert terms_of(confirmed) == (timedelta(), 100, 2000)


def test_the_policy_needs_no_extra_query(strict_shop: Shop) -> None:
    agreement = make_agreement(strict_shop, make_person(strict_shop))
    make_order(strict_shop, agreement, ceiling=600)
    publish_late_policy(NOON, daily_bps_most=7)
    with CaptureQueriesContext(connection) as sent:
        order = make_order(strict_shop, agreement, ceiling=600)
    assert order.late_fee_daily_bps == 7
    asked = [query["sql"] for query in sent.captured_queries if "latepolicy" in query["sql"].lower()]
    assert not asked, "it has no statement of its own"


@pytest.mark.parametrize(
    ("days", "bounds", "less"),
    [
        (7, FIRST, 0),
        (7, {"daily_bps_most": 50}, 350),  # half of a yuan a day, at seven midnights
        (7, {"grace_hours_least": 48}, 200),  # two of them were grace
        (7, {"grace_hours_least": 49, "daily_bps_most": 50}, 450),
        (7, {"cap_bps_most": 300}, 400),
        (7, {"cap_bps_most": 700}, 0),
        (7, {"grace_hours_least": 24 * 90}, 700),
        (7, {"daily_bps_most": 0}, 700),
        (7, {"cap_bps_most": 0}, 700),
        (30, {"daily_bps_most": 50}, 500),  # the cap had stopped it after twenty
        (30, {"daily_bps_most": 10, "cap_bps_most": 200}, 1800),
        (30, {"grace_hours_least": 240}, 0),
        (45, {"daily_bps_most": 50}, 0),  # by then half of it comes to the cap too
    ],
)
def test_the_preview_equals_an_order_under_the_new_terms(
    strict_shop: Shop, days: int, bounds: dict[str, int], less: int
) -> None:
    order = late(strict_shop, 10_000, days=days)
    asked = LateBounds.from_terms(FIRST | bounds)
    with assert_unchanged():
        seen = orders.preview_late_terms(asked, at=NOON)
    changed = asked.clamp(strict_shop.service.late_terms) != strict_shop.service.late_terms
    assert (seen.services, seen.asking, seen.orders, seen.kinder) == (1, int(changed), 1, int(changed))
    assert list(seen.fees) == ([(Money(fee_of(order)), Money(less))] if changed else [])

    publish_late_policy(NOON, **bounds)
    assert fee_of(order) - fee_of(late(strict_shop, 10_000, days=days)) == less


def test_sums_are_those_of_plain_arithmetic_in_each_currency(strict_shop: Shop) -> None:
    yen = {"name": "箱", "currency": "JPY", "mode": "dynamic", "ceiling_minor": 60_000}
    abroad = replace(strict_shop, service=merchants.offer_service(strict_shop.merchant.id, yen | HARSH, by=BY, at=NOON))
    kind = replace(
        strict_shop, service=merchants.offer_service(strict_shop.merchant.id, yen | {"name": "伞"}, by=BY, at=NOON)
    )
    amounts = {strict_shop: (1, 99, 101, 12_345), abroad: (3_333, 59_999), kind: (500,)}
    for shop, each in amounts.items():
        for minor in each:
            late(shop, minor, days=9)
    seen = orders.preview_late_terms(LateBounds(48, 30, 100), at=NOON)
    assert (seen.services, seen.asking, seen.orders, seen.kinder) == (3, 2, 7, 6)
    for (fee, less), minors in zip(seen.fees, (amounts[strict_shop], amounts[abroad]), strict=True):
        was = [minor * 100 * 9 // 10_000 for minor in minors]
        would = [min(minor * 30 * 7 // 10_000, (minor * 100 + 5_000) // 10_000) for minor in minors]
        assert (fee.minor, less.minor) == (sum(was), sum(was) - sum(would))
    assert [fee.currency for fee, _less in seen.fees] == ["CNY", "JPY"]


def test_only_what_is_live_and_lately_opened_is_looked_at_and_never_too_much_of_it(
    strict_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    late(make_shop("别处", ceiling_minor=20_000, **HARSH), 10_000, days=4)
    for minor in (10_000, 20_000):
        late(strict_shop, minor, days=4)
    none = LateBounds(0, 0, 0)
    assert orders.preview_late_terms(none, at=NOON).fees == [(Money(1_200), Money(1_200))]
    assert orders.preview_late_terms(none, at=NOON + timedelta(days=30)).orders == 2
    old = orders.preview_late_terms(none, at=NOON + timedelta(days=30, seconds=1))
    assert (old.services, old.asking, old.orders, old.kinder, list(old.fees)) == (1, 1, 0, 0, [])
    monkeypatch.setattr(late_fee_policy, "SAMPLE_MAX", 1)
    seen = orders.preview_late_terms(none, at=NOON)
    assert (seen.orders, list(seen.fees)) == (1, [(Money(800), Money(800))])
