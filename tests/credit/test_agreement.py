"""Agreements: a person opens a service and may stop it at any time; it ends with the last payment."""

from datetime import timedelta
from uuid import uuid4

import pytest

from accounts.models import Person
from billing.services.deduct import deduct_due
from credit import services as credit
from credit.models import Agreement
from credit.refusals import AgreementState, AlreadyOpened, ServicePaused
from kernel.refusal import NotFound
from merchants import services as merchants
from merchants.models import Event
from orders import refusals
from orders import services as orders
from tests.api import Api, assert_problem
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, make_shop
from tests.db_errors import UNIQUE, execute_sql, raises_db_error
from tests.unchanged import assert_unchanged


def asked(shop: Shop) -> Agreement:
    return credit.request_agreement(shop.merchant.id, shop.service.id, "u-1", by=BY, at=NOON)


def state_of(agreement: Agreement) -> str:
    return str(Agreement.objects.get(pk=agreement.pk).state)


def test_signed_it_is_active_and_the_merchant_is_told(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)

    assert (agreement.state, agreement.person, agreement.activated_at) == ("active", ada, NOON)
    assert [event.type for event in Event.objects.filter(subject_id=agreement.id)] == ["agreement.activated"]
    assert [line.kind for line in agreement.history.all()] == ["requested", "activated"]


def test_signed_again_by_the_same_person_it_is_the_same_signature(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    with assert_unchanged():
        again = credit.sign_agreement(agreement.id, ada.id, by=BY, at=NOON + timedelta(days=1))
    assert again.agreement.activated_at == NOON
    assert again.decision.approved


def test_somebody_else_cannot_sign_it_after_that(power_bank: Shop, ada: Person) -> None:
    agreement, other = make_agreement(power_bank, ada), make_person(power_bank)
    with assert_unchanged(), pytest.raises(AgreementState):
        credit.sign_agreement(agreement.id, other.id, by=BY, at=NOON)


def test_a_person_opens_a_service_once_by_our_word_and_by_the_databases(power_bank: Shop, ada: Person) -> None:
    make_agreement(power_bank, ada)
    second = asked(power_bank)
    with assert_unchanged(), pytest.raises(AlreadyOpened):
        credit.sign_agreement(second.id, ada.id, by=BY, at=NOON)
    with assert_unchanged(), raises_db_error(UNIQUE, "a_person_opens_a_service_once"):
        sql = """
            UPDATE credit_agreement SET state = 'active', version = 2, person_id = %s, agreed_ceiling_minor = 1,
                   agreed_confirmation = true, agreed_grace = '3d', agreed_late_fee_daily_bps = 0,
                   agreed_late_fee_cap_bps = 0 WHERE id = %s"""
        execute_sql(sql, ada.id, second.id)


def test_nobody_of_another_sandbox_signs_it(power_bank: Shop) -> None:
    other = make_shop("雨伞")
    agreement, stranger = asked(power_bank), make_person(other)
    with assert_unchanged(), pytest.raises(NotFound):
        credit.sign_agreement(agreement.id, stranger.id, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(NotFound):
        credit.sign_agreement(agreement.id, uuid4(), by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(NotFound):
        credit.sign_agreement(uuid4(), someone_of(power_bank).id, by=BY, at=NOON)


def someone_of(shop: Shop) -> Person:
    """The first person of the shop's sandbox; the merchant's API finds nobody elsewhere."""
    return Person.objects.filter(realm_id=shop.realm_id).first() or Person.objects.earliest("id")


def test_a_paused_service_asks_nobody_new(power_bank: Shop) -> None:
    merchants.change_service(power_bank.merchant.id, power_bank.service.id, {"state": "paused"}, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(ServicePaused):
        asked(power_bank)


def test_another_merchants_service_is_a_missing_one(power_bank: Shop) -> None:
    other = make_shop("雨伞")
    with assert_unchanged(), pytest.raises(NotFound):
        credit.request_agreement(other.merchant.id, power_bank.service.id, "u", by=BY, at=NOON)


@pytest.mark.parametrize("signed", [True, False])
def test_with_nothing_under_way_it_ends_at_once(power_bank: Shop, ada: Person, signed: bool) -> None:  # noqa: FBT001
    agreement = make_agreement(power_bank, ada) if signed else asked(power_bank)

    ended = credit.stop_agreement(agreement.id, by=BY, at=NOON)

    assert (ended.state, ended.terminated_at) == ("terminated", NOON)
    with assert_unchanged():
        credit.stop_agreement(agreement.id, by=BY, at=NOON + timedelta(days=1))


def test_with_orders_under_way_it_closes_takes_no_new_ones_and_ends_with_the_last_payment(
    power_bank: Shop, ada: Person
) -> None:
    agreement = make_agreement(power_bank, ada)
    owed, going = (make_order(power_bank, agreement, ceiling=700) for _ in range(2))
    orders.complete_order(owed.id, orders.CompletionRequest(total=600), by=BY, at=NOON)

    assert credit.stop_agreement(agreement.id, by=BY, at=NOON).state == "closing"
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no="new", title="x", currency="CNY")
    with assert_unchanged(), pytest.raises(refusals.AgreementNotActive):
        orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    assert state_of(agreement) == "closing"
    orders.complete_order(going.id, orders.CompletionRequest(total=100), by=BY, at=NOON + timedelta(hours=1))
    assert state_of(agreement) == "closing"
    deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1))

    ended = Agreement.objects.get(pk=agreement.pk)
    assert (ended.state, ended.live_orders, ended.terminated_at) == ("terminated", 0, NOON + timedelta(hours=1))
    types = Event.objects.filter(subject_id=agreement.id).order_by("sequence").values_list("type", flat=True)
    assert list(types) == ["agreement.activated", "agreement.closing", "agreement.terminated"]


@pytest.mark.parametrize("ending", ["cancel", "mark_paid", "zero", "expire"])
def test_every_end_of_the_last_order_ends_a_closing_agreement(power_bank: Shop, shop: Shop, ending: str) -> None:
    at = shop if ending == "expire" else power_bank
    agreement = make_agreement(at, make_person(at))
    extra = {"amount": 1} if ending == "expire" else {}
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no="1", title="x", currency="CNY", **extra)  # type: ignore[arg-type]
    order = orders.open_order(at.merchant.id, wish, by=BY, at=NOON).order
    assert order is not None
    credit.stop_agreement(agreement.id, by=BY, at=NOON)
    if ending == "cancel":
        orders.cancel_order(order.id, "x", by=BY, at=NOON)
    elif ending == "expire":
        orders.expire_unconfirmed(at.realm_id, at=NOON + timedelta(days=31), limit=9)
    else:
        orders.complete_order(order.id, orders.CompletionRequest(total=0 if ending == "zero" else 1), by=BY, at=NOON)
        if ending == "mark_paid":
            orders.mark_paid(order.id, NOON, "till", by=BY, at=NOON)

    assert state_of(agreement) == "terminated"


def test_a_service_is_opened_again_after_it_ended(power_bank: Shop, ada: Person) -> None:
    credit.stop_agreement(make_agreement(power_bank, ada).id, by=BY, at=NOON)
    assert make_agreement(power_bank, ada).state == "active"


def test_the_sandbox_finds_people_by_ref_or_id_in_its_realm_only(power_bank: Shop) -> None:
    api, other = Api(power_bank), Api(make_shop("雨伞"))
    stranger = other.person()
    body = {"service": power_bank.service.public_id, "person_ref": "whoever"}
    agreement = api.post("agreements", body).json()["id"]
    with assert_unchanged():
        for named in (stranger["id"], stranger["ref"], "per_", "", "nobody", None):
            assert_problem(api.post(f"sandbox/agreements/{agreement}/sign", {"person": named}), 404, "not_found")
    signed = api.post(f"sandbox/agreements/{agreement}/sign", {"person": api.person()["ref"]})
    assert signed.json()["state"] == "active"
