"""Onboarding: apply, check, approve, open, suspend and resume, and what is refused at each step."""

from datetime import timedelta

import pytest

from billing.services.deduct import deduct_due
from credit import services as credit
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.refusal import ApprovalRequired, Invalid
from merchants import services as merchants
from merchants.models import Merchant, Service
from merchants.refusals import ChecksMissing, MerchantNotActive, NoActiveService, WrongMerchantState
from merchants.rules import CHECKS
from orders import services as orders
from orders.refusals import AboveCeiling
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, make_shop, state_of
from tests.db_errors import CHECK, RESTRICT, execute_sql, raises_db_error
from tests.office.merchant_fixtures import merchant_at
from tests.unchanged import assert_unchanged

LIN, MEI = Actor.staff(uuid7()), Actor.staff(uuid7())
BOTH = LIN.approved_by(MEI)


def merchant_state(merchant: Merchant) -> str:
    return str(Merchant.objects.get(pk=merchant.pk).state)


def test_onboarding_goes_step_by_step(db: None) -> None:
    asked = merchants.Application(name="新店", legal_name="新店有限公司", registration="9131", website="https://x.cn")
    sandbox, live = merchants.apply_to_join(asked, by=LIN, at=NOON)
    assert (sandbox.state, live.state, sandbox.twin_id) == ("active", "applied", live.id)
    merchants.issue_key(sandbox.id, by=BY, at=NOON)
    with assert_unchanged():
        for verb in (merchants.approve_merchant, merchants.open_merchant, merchants.suspend_merchant):
            with pytest.raises((ChecksMissing, WrongMerchantState)):
                verb(live.id, "x", by=BOTH, at=NOON)
        with pytest.raises(MerchantNotActive):
            merchants.issue_key(live.id, by=BY, at=NOON)

    for check in CHECKS[:-1]:
        merchants.record_check(live.id, check, passed=True, evidence="工商网", by=LIN, at=NOON)
    assert merchant_state(live) == "applied"
    merchants.record_check(live.id, CHECKS[-1], passed=False, evidence="无人接听", by=LIN, at=NOON)
    assert merchant_state(live) == "applied"
    merchants.record_check(live.id, CHECKS[-1], passed=True, evidence="已回电", by=LIN, at=NOON)
    assert merchant_state(live) == "checked"
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        merchants.approve_merchant(live.id, "x", by=LIN, at=NOON)
    merchants.approve_merchant(live.id, "齐了", by=BOTH, at=NOON)
    with assert_unchanged(), pytest.raises(NoActiveService):
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
def test_a_failed_check_returns_the_merchant_to_applied(db: None, step: str) -> None:
    live = merchant_at(step)
    merchants.record_check(live.id, "sanctions", passed=False, evidence="命中名单", by=LIN, at=NOON)
    assert merchant_state(live) == "applied"
    with assert_unchanged(), pytest.raises(ChecksMissing):
        merchants.approve_merchant(live.id, "x", by=BOTH, at=NOON)
    merchants.record_check(live.id, "sanctions", passed=True, evidence="同名", by=MEI, at=NOON)
    assert merchant_state(live) == "checked"


def test_invalid_checks_are_refused(db: None) -> None:
    live = merchant_at("newcomer")
    with assert_unchanged():
        for name, evidence in (("stars", "x"), ("website", "  ")):
            with pytest.raises(Invalid):
                merchants.record_check(live.id, name, passed=True, evidence=evidence, by=LIN, at=NOON)


def test_a_refused_merchant_stays_refused(db: None) -> None:
    live = merchant_at("approved")
    merchants.refuse_merchant(live.id, "x", by=LIN, at=NOON)
    with assert_unchanged():
        for verb in (merchants.refuse_merchant, merchants.open_merchant, merchants.approve_merchant):
            with pytest.raises(WrongMerchantState):
                verb(live.id, "x", by=BOTH, at=NOON)
        with pytest.raises(WrongMerchantState):
            merchants.record_check(live.id, "website", passed=True, evidence="x", by=LIN, at=NOON)


def test_of_a_suspended_merchant_new_orders_stop_and_old_ones_finish(power_bank: Shop) -> None:
    person = make_person(power_bank)
    agreement = make_agreement(power_bank, person)
    order, waiting = make_order(power_bank, agreement), make_person(power_bank, name="晚来")
    merchants.suspend_merchant(power_bank.merchant.id, "投诉", by=LIN, at=NOON)
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no="N1", title="x", currency="CNY")
    with assert_unchanged():
        with pytest.raises(MerchantNotActive):
            orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON)
        with pytest.raises(MerchantNotActive):
            credit.request_agreement(power_bank.merchant.id, power_bank.service.id, "u-9", by=BY, at=NOON)
        with pytest.raises(WrongMerchantState):
            merchants.suspend_merchant(power_bank.merchant.id, "x", by=LIN, at=NOON)
        with pytest.raises(ApprovalRequired):
            merchants.resume_merchant(power_bank.merchant.id, "x", by=LIN, at=NOON)
    orders.complete_order(order.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    assert state_of(order) == "deducted"
    merchants.resume_merchant(power_bank.merchant.id, "已整改", by=BOTH, at=NOON)
    assert make_order(power_bank, agreement).state == "open"
    assert make_order(power_bank, make_agreement(power_bank, waiting)).state == "open"


def test_an_order_is_not_confirmed_after_its_merchant_was_suspended(shop: Shop) -> None:
    agreement = make_agreement(shop, make_person(shop))
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no="N1", title="x", currency="CNY", amount=100)
    waits = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert waits is not None
    merchants.suspend_merchant(shop.merchant.id, "x", by=LIN, at=NOON)
    with assert_unchanged(), pytest.raises(MerchantNotActive):
        orders.confirm_order(waits.id, by=BY, at=NOON)


def test_a_fee_counts_for_orders_opened_from_its_moment_on(power_bank: Shop) -> None:
    service, since = power_bank.service, NOON + timedelta(days=1)
    agreement = make_agreement(power_bank, make_person(power_bank))
    with assert_unchanged():
        with pytest.raises(ApprovalRequired):
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
    before = make_order(power_bank, agreement, at=since - timedelta(seconds=1))
    after = make_order(power_bank, agreement, at=since)
    assert (before.fee_bps, after.fee_bps) == (60, 80)
    merchants.set_fee(service.id, 40, since + timedelta(days=1), by=BOTH, at=since)
    assert make_order(power_bank, agreement, at=since + timedelta(hours=1)).fee_bps == 80
    assert make_order(power_bank, agreement, at=since + timedelta(days=1)).fee_bps == 40
    assert Service.objects.get(pk=service.pk).fee_bps == 80


def test_a_fee_to_come_that_another_replaces_never_comes(power_bank: Shop) -> None:
    service, since = power_bank.service, NOON + timedelta(days=1)
    merchants.set_fee(service.id, 500, since, by=BOTH, at=NOON)
    made = merchants.set_fee(service.id, 70, since + timedelta(days=1), by=BOTH, at=NOON)
    assert [made.fee_bps_at(since + timedelta(days=n)) for n in (-1, 0, 1)] == [60, 60, 70]


def test_no_merchant_sets_its_own_fee_where_money_is_real(power_bank: Shop) -> None:
    terms = {"name": "x", "mode": "dynamic", "ceiling_minor": 1, "fee_bps": 1}
    with assert_unchanged(), pytest.raises(Invalid):
        merchants.offer_service(power_bank.live.id, terms, by=Actor.merchant(uuid7()), at=NOON)
    merchants.offer_service(power_bank.merchant.id, terms, by=Actor.merchant(uuid7()), at=NOON)
    merchants.offer_service(power_bank.live.id, terms, by=BY, at=NOON)


def test_no_order_comes_to_more_than_the_platform_lets_it(power_bank: Shop) -> None:
    agreement = make_agreement(power_bank, make_person(power_bank))
    with assert_unchanged():
        with pytest.raises(ApprovalRequired):
            merchants.set_order_limit(power_bank.merchant.id, 500, "x", by=LIN, at=NOON)
        with pytest.raises(Invalid):
            merchants.set_order_limit(power_bank.merchant.id, 0, "x", by=BOTH, at=NOON)
    merchants.set_order_limit(power_bank.merchant.id, 500, "x", by=BOTH, at=NOON)
    with assert_unchanged(), pytest.raises(AboveCeiling):
        make_order(power_bank, agreement, ceiling=501)
    assert make_order(power_bank, agreement).ceiling_minor == 500
    merchants.set_order_limit(power_bank.merchant.id, None, "x", by=BOTH, at=NOON)
    assert make_order(power_bank, agreement).ceiling_minor == 9900


def test_the_database_holds_to_it_too(db: None) -> None:
    live = merchant_at("newcomer")
    with raises_db_error(RESTRICT, "legal_moves_only"):
        execute_sql(f"UPDATE merchants_merchant SET state = 'active', version = version + 1 WHERE id = '{live.id}'")  # noqa: S608
    with raises_db_error(CHECK, "a_check_has_a_known_name"):
        execute_sql(
            "INSERT INTO merchants_merchantcheck (id, merchant_id, name, passed, evidence, by, at)"  # noqa: S608
            f" VALUES (gen_random_uuid(), '{live.id}', 'stars', true, 'x', 'x', now())"
        )


def test_another_shop_is_not_touched(power_bank: Shop) -> None:
    other = make_shop("另一家")
    merchants.suspend_merchant(power_bank.merchant.id, "x", by=LIN, at=NOON)
    assert make_order(other, make_agreement(other, make_person(other))).state == "open"
