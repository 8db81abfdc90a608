"""A business applies, is looked into, let in by two, opened and suspended; and what none of these steps may be."""

from datetime import timedelta

import pytest

from billing.services.deduct import deduct_due
from credit import services as credit
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.refusal import Invalid, SecondNeeded
from merchants import services as merchants
from merchants.models import Merchant, Service
from merchants.refusals import ChecksMissing, MerchantNotActive, MerchantState, NothingOffered
from merchants.rules import CHECKS
from orders import services as orders
from orders.refusals import AboveCeiling
from tests.conftest import BY, NOON, Shop, make_shop, opened, ordered, someone, state_of
from tests.guards import CHECK, RESTRICT, refused_by, run
from tests.office.newcomers import merchant_at
from tests.stillness import nothing_moves

LIN, MEI = Actor.staff(uuid7()), Actor.staff(uuid7())
BOTH = LIN.agreed(MEI)


def step_of(merchant: Merchant) -> str:
    return str(Merchant.objects.get(pk=merchant.pk).state)


def test_the_way_in_is_walked_a_step_at_a_time(db: None) -> None:
    asked = merchants.Application(name="新店", legal_name="新店有限公司", registration="9131", website="https://x.cn")
    sandbox, live = merchants.apply_to_join(asked, by=LIN, at=NOON)
    assert (sandbox.state, live.state, sandbox.twin_id) == ("active", "applied", live.id)
    merchants.issue_key(sandbox.id, by=BY, at=NOON)
    with nothing_moves():
        for verb in (merchants.approve_merchant, merchants.open_merchant, merchants.suspend_merchant):
            with pytest.raises((ChecksMissing, MerchantState)):
                verb(live.id, "x", by=BOTH, at=NOON)
        with pytest.raises(MerchantNotActive):
            merchants.issue_key(live.id, by=BY, at=NOON)

    for check in CHECKS[:-1]:
        merchants.note_check(live.id, check, passed=True, evidence="工商网", by=LIN, at=NOON)
    assert step_of(live) == "applied"
    merchants.note_check(live.id, CHECKS[-1], passed=False, evidence="无人接听", by=LIN, at=NOON)
    assert step_of(live) == "applied"
    merchants.note_check(live.id, CHECKS[-1], passed=True, evidence="已回电", by=LIN, at=NOON)
    assert step_of(live) == "checked"
    with nothing_moves(), pytest.raises(SecondNeeded):
        merchants.approve_merchant(live.id, "x", by=LIN, at=NOON)
    merchants.approve_merchant(live.id, "齐了", by=BOTH, at=NOON)
    with nothing_moves(), pytest.raises(NothingOffered):
        merchants.open_merchant(live.id, "x", by=LIN, at=NOON)
    merchants.offer_service(live.id, {"name": "x", "mode": "dynamic", "ceiling_minor": 1}, by=BY, at=NOON)
    merchants.open_merchant(live.id, "x", by=LIN, at=NOON)
    merchants.issue_key(live.id, by=BY, at=NOON)
    lines = list(live.history.order_by("seq").values_list("kind", "target", "by"))
    assert lines == [
        ("applied", "applied", str(LIN)),
        ("checked", "checked", str(LIN)),
        ("approved", "approved", str(BOTH)),
        ("opened", "active", str(LIN)),
    ]


@pytest.mark.parametrize("step", ["checked", "approved"])
def test_a_check_that_no_longer_comes_out_well_leads_back(db: None, step: str) -> None:
    live = merchant_at(step)
    merchants.note_check(live.id, "sanctions", passed=False, evidence="命中名单", by=LIN, at=NOON)
    assert step_of(live) == "applied"
    with nothing_moves(), pytest.raises(ChecksMissing):
        merchants.approve_merchant(live.id, "x", by=BOTH, at=NOON)
    merchants.note_check(live.id, "sanctions", passed=True, evidence="同名", by=MEI, at=NOON)
    assert step_of(live) == "checked"


def test_what_is_no_check_is_not_noted(db: None) -> None:
    live = merchant_at("newcomer")
    with nothing_moves():
        for name, evidence in (("stars", "x"), ("website", "  ")):
            with pytest.raises(Invalid):
                merchants.note_check(live.id, name, passed=True, evidence=evidence, by=LIN, at=NOON)


def test_who_was_refused_stays_refused(db: None) -> None:
    live = merchant_at("approved")
    merchants.refuse_merchant(live.id, "x", by=LIN, at=NOON)
    with nothing_moves():
        for verb in (merchants.refuse_merchant, merchants.open_merchant, merchants.approve_merchant):
            with pytest.raises(MerchantState):
                verb(live.id, "x", by=BOTH, at=NOON)
        with pytest.raises(MerchantState):
            merchants.note_check(live.id, "website", passed=True, evidence="x", by=LIN, at=NOON)


def test_of_a_suspended_merchant_new_orders_stop_and_old_ones_finish(power_bank: Shop) -> None:
    person = someone(power_bank)
    agreement = opened(power_bank, person)
    order, waiting = ordered(power_bank, agreement), someone(power_bank, name="晚来")
    merchants.suspend_merchant(power_bank.merchant.id, "投诉", by=LIN, at=NOON)
    wish = orders.Wish(agreement_id=agreement.id, out_order_no="N1", title="x", currency="CNY")
    with nothing_moves():
        with pytest.raises(MerchantNotActive):
            orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON)
        with pytest.raises(MerchantNotActive):
            credit.request_agreement(power_bank.merchant.id, power_bank.service.id, "u-9", by=BY, at=NOON)
        with pytest.raises(MerchantState):
            merchants.suspend_merchant(power_bank.merchant.id, "x", by=LIN, at=NOON)
        with pytest.raises(SecondNeeded):
            merchants.resume_merchant(power_bank.merchant.id, "x", by=LIN, at=NOON)
    orders.complete_order(order.id, orders.Final(total=600), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    assert state_of(order) == "deducted"
    merchants.resume_merchant(power_bank.merchant.id, "已整改", by=BOTH, at=NOON)
    assert ordered(power_bank, agreement).state == "open"
    assert ordered(power_bank, opened(power_bank, waiting)).state == "open"


def test_an_order_is_not_confirmed_after_its_merchant_was_suspended(shop: Shop) -> None:
    agreement = opened(shop, someone(shop))
    wish = orders.Wish(agreement_id=agreement.id, out_order_no="N1", title="x", currency="CNY", amount=100)
    waits = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert waits is not None
    merchants.suspend_merchant(shop.merchant.id, "x", by=LIN, at=NOON)
    with nothing_moves(), pytest.raises(MerchantNotActive):
        orders.confirm_order(waits.id, by=BY, at=NOON)


def test_a_fee_counts_for_orders_opened_from_its_moment_on(power_bank: Shop) -> None:
    service, since = power_bank.service, NOON + timedelta(days=1)
    agreement = opened(power_bank, someone(power_bank))
    with nothing_moves():
        with pytest.raises(SecondNeeded):
            merchants.set_fee(service.id, 80, since, by=LIN, at=NOON)
        for bps, when in (
            (10_000, since),
            (-1, since),
            (80, NOON - timedelta(seconds=1)),
            (80, NOON + timedelta(days=400)),
        ):
            with pytest.raises(Invalid):
                merchants.set_fee(service.id, bps, when, by=BOTH, at=NOON)
    merchants.set_fee(service.id, 80, since, by=BOTH, at=NOON)
    before = ordered(power_bank, agreement, at=since - timedelta(seconds=1))
    after = ordered(power_bank, agreement, at=since)
    assert (before.fee_bps, after.fee_bps) == (60, 80)
    merchants.set_fee(service.id, 40, since + timedelta(days=1), by=BOTH, at=since)
    assert ordered(power_bank, agreement, at=since + timedelta(hours=1)).fee_bps == 80
    assert ordered(power_bank, agreement, at=since + timedelta(days=1)).fee_bps == 40
    assert Service.objects.get(pk=service.pk).fee_bps == 80


def test_a_fee_to_come_that_another_replaces_never_comes(power_bank: Shop) -> None:
    service, since = power_bank.service, NOON + timedelta(days=1)
    merchants.set_fee(service.id, 500, since, by=BOTH, at=NOON)
    made = merchants.set_fee(service.id, 70, since + timedelta(days=1), by=BOTH, at=NOON)
    assert [made.fee_at(since + timedelta(days=n)) for n in (-1, 0, 1)] == [60, 60, 70]


def test_no_merchant_sets_its_own_fee_where_money_is_real(power_bank: Shop) -> None:
    terms = {"name": "x", "mode": "dynamic", "ceiling_minor": 1, "fee_bps": 1}
    with nothing_moves(), pytest.raises(Invalid):
        merchants.offer_service(power_bank.live.id, terms, by=Actor.merchant(uuid7()), at=NOON)
    merchants.offer_service(power_bank.merchant.id, terms, by=Actor.merchant(uuid7()), at=NOON)
    merchants.offer_service(power_bank.live.id, terms, by=BY, at=NOON)


def test_no_order_comes_to_more_than_the_platform_lets_it(power_bank: Shop) -> None:
    agreement = opened(power_bank, someone(power_bank))
    with nothing_moves():
        with pytest.raises(SecondNeeded):
            merchants.limit_orders(power_bank.merchant.id, 500, "x", by=LIN, at=NOON)
        with pytest.raises(Invalid):
            merchants.limit_orders(power_bank.merchant.id, 0, "x", by=BOTH, at=NOON)
    merchants.limit_orders(power_bank.merchant.id, 500, "x", by=BOTH, at=NOON)
    with nothing_moves(), pytest.raises(AboveCeiling):
        ordered(power_bank, agreement, ceiling=501)
    assert ordered(power_bank, agreement).ceiling_minor == 500
    merchants.limit_orders(power_bank.merchant.id, None, "x", by=BOTH, at=NOON)
    assert ordered(power_bank, agreement).ceiling_minor == 9900


def test_the_database_holds_to_it_too(db: None) -> None:
    live = merchant_at("newcomer")
    with refused_by(RESTRICT, "legal_moves_only"):
        run(f"UPDATE merchants_merchant SET state = 'active', version = version + 1 WHERE id = '{live.id}'")  # noqa: S608
    with refused_by(CHECK, "a_check_has_a_known_name"):
        run(
            "INSERT INTO merchants_merchantcheck (id, merchant_id, name, passed, evidence, by, at)"  # noqa: S608
            f" VALUES (gen_random_uuid(), '{live.id}', 'stars', true, 'x', 'x', now())"
        )


def test_another_shop_is_not_touched(power_bank: Shop) -> None:
    other = make_shop("另一家")
    merchants.suspend_merchant(power_bank.merchant.id, "x", by=LIN, at=NOON)
    assert ordered(other, opened(other, someone(other))).state == "open"
