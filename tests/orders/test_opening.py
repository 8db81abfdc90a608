"""Opening an order: assessed and held, or refused without any other effect than the decision."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import Person
from credit import services as credit
from credit.models import Agreement, Decision, Profile
from credit.refusals import ServicePaused
from kernel.refusal import NotFound, Refusal
from merchants import services as merchants
from merchants.models import Event
from orders import refusals
from orders import services as orders
from orders.models import Order
from tests.api import Api, assert_problem, order_body
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, make_shop
from tests.unchanged import assert_unchanged


def order_request(agreement: Agreement, **more: Any) -> orders.OrderRequest:
    given = {"agreement_id": agreement.id, "out_order_no": "N-1", "title": "充电宝", "currency": "CNY"} | more
    return orders.OrderRequest(**given)


def test_the_ceiling_is_held_and_the_merchant_is_told(power_bank: Shop, ada: Person) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada), ceiling=5_000)

    profile = Profile.objects.get(pk=ada.id)
    assert (profile.held_minor, profile.outstanding_minor, profile.open_orders) == (5_000, 0, 1)
    assert order.agreement.__class__.objects.get(pk=order.agreement_id).live_orders == 1
    decision = Decision.objects.get(occasion="order")
    assert (decision.approved, decision.reasons, decision.out_order_no) == (True, [], order.out_order_no)
    assert decision.inputs["asked_minor"] == 5_000
    assert [event.type for event in Event.objects.filter(subject_id=order.id)] == ["order.opened"]


def test_a_dynamic_order_without_a_ceiling_holds_the_services_own(power_bank: Shop, ada: Person) -> None:
    assert make_order(power_bank, make_agreement(power_bank, ada)).ceiling_minor == power_bank.service.ceiling_minor


def test_the_same_number_and_parameters_are_the_same_order(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    first = orders.open_order(
        power_bank.merchant.id, order_request(agreement, metadata={"a": "1", "b": "2"}), by=BY, at=NOON
    )
    with assert_unchanged():
        later = NOON + timedelta(days=400)
        again = orders.open_order(
            power_bank.merchant.id, order_request(agreement, metadata={"b": "2", "a": "1"}), by=BY, at=later
        )

    assert again.order == first.order
    assert again.decision is None


@pytest.mark.parametrize("other", [{"title": "雨伞"}, {"ceiling": 100}, {"attach": "x"}, {"items": [{"name": "x"}]}])
def test_the_same_number_with_other_parameters_is_refused(
    power_bank: Shop, ada: Person, other: dict[str, object]
) -> None:
    agreement = make_agreement(power_bank, ada)
    orders.open_order(power_bank.merchant.id, order_request(agreement), by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(refusals.OrderNumberReused):
        orders.open_order(power_bank.merchant.id, replace(order_request(agreement), **other), by=BY, at=NOON)


def test_a_number_is_used_once_for_ever_and_by_each_merchant_for_itself(power_bank: Shop, ada: Person) -> None:
    other = make_shop("雨伞")
    mine = orders.open_order(power_bank.merchant.id, order_request(make_agreement(power_bank, ada)), by=BY, at=NOON)
    theirs = orders.open_order(
        other.merchant.id, order_request(make_agreement(other, make_person(other))), by=BY, at=NOON
    )
    assert mine.order is not None
    orders.cancel_order(mine.order.id, "x", by=BY, at=NOON)

    assert theirs.order not in (None, mine.order)
    with assert_unchanged(), pytest.raises(refusals.OrderNumberReused):
        orders.open_order(
            power_bank.merchant.id,
            order_request(Agreement.objects.get(person=ada), title="another"),
            by=BY,
            at=NOON + timedelta(days=999),
        )


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"ceiling": 9_901}, refusals.AboveCeiling),
        ({"amount": 100}, refusals.WrongAmountField),
        ({"amount": 100, "ceiling": 100}, refusals.WrongAmountField),
        ({"currency": "USD"}, refusals.CurrencyMismatch),
        ({"starts_at": NOON, "ends_at": NOON - timedelta(seconds=1)}, refusals.TimesInvalid),
        ({"agreement_id": uuid4()}, NotFound),
    ],
)
def test_a_dynamic_order_that_does_not_fit_its_service_is_refused(
    power_bank: Shop, ada: Person, given: dict[str, object], refusal: type[Refusal]
) -> None:
    agreement = make_agreement(power_bank, ada)
    with assert_unchanged(), pytest.raises(refusal):
        orders.open_order(power_bank.merchant.id, replace(order_request(agreement), **given), by=BY, at=NOON)


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({}, refusals.WrongAmountField),
        ({"amount": 4_990, "ceiling": 4_990}, refusals.WrongAmountField),
        ({"amount": 50_001}, refusals.AboveCeiling),
        ({"amount": 300, "items": [{"name": "杯", "amount": 400}]}, refusals.TotalInvalid),
        (
            {"amount": 300, "items": [{"name": "杯", "amount": 300}], "discounts": [{"name": "新客", "amount": 1}]},
            refusals.TotalInvalid,
        ),
    ],
)
def test_a_fixed_order_says_its_amount_and_its_items_come_to_it(
    shop: Shop, given: dict[str, object], refusal: type[Refusal]
) -> None:
    agreement = make_agreement(shop, make_person(shop))
    with assert_unchanged(), pytest.raises(refusal):
        orders.open_order(shop.merchant.id, replace(order_request(agreement), **given), by=BY, at=NOON)


def test_an_order_that_waits_for_its_person_holds_nothing_until_they_confirm(shop: Shop) -> None:
    person = make_person(shop)
    opening = orders.open_order(
        shop.merchant.id, order_request(make_agreement(shop, person), amount=4_990), by=BY, at=NOON
    )
    assert opening.order is not None
    assert (opening.order.state, opening.order.expires_at) == ("created", NOON + timedelta(days=30))
    assert Profile.objects.get(pk=person.id).held_minor == 0

    confirmed = orders.confirm_order(opening.order.id, by=BY, at=NOON + timedelta(days=29)).order

    assert confirmed is not None
    assert (confirmed.state, confirmed.opened_at, confirmed.expires_at) == ("open", NOON + timedelta(days=29), None)
    assert Profile.objects.get(pk=person.id).held_minor == 4_990
    with assert_unchanged():
        assert orders.confirm_order(confirmed.id, by=BY, at=NOON + timedelta(days=29)).order == confirmed
    types = list(Event.objects.filter(subject_id=confirmed.id).order_by("sequence").values_list("type", flat=True))
    assert types == ["order.confirmed", "order.opened"]


def test_a_confirmation_is_assessed_on_what_is_true_by_then(shop: Shop) -> None:
    person = make_person(shop)
    opening = orders.open_order(
        shop.merchant.id, order_request(make_agreement(shop, person), amount=4_990), by=BY, at=NOON
    )
    assert opening.order is not None
    Profile.objects.filter(pk=person.id).update(frozen_at=NOON)

    with assert_unchanged("credit_decision"):
        refusal = orders.confirm_order(opening.order.id, by=BY, at=NOON)

    assert refusal.order is None
    assert refusal.coarse_reason == "not_eligible"
    assert Order.objects.get().state == "created"


def test_a_confirmation_that_comes_too_late_or_for_nothing_is_refused(shop: Shop, power_bank: Shop) -> None:
    late = orders.open_order(
        shop.merchant.id, order_request(make_agreement(shop, make_person(shop)), amount=1), by=BY, at=NOON
    ).order
    never = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    assert late is not None
    with assert_unchanged(), pytest.raises(refusals.OrderState):
        orders.confirm_order(late.id, by=BY, at=NOON + timedelta(days=30))
    with assert_unchanged(), pytest.raises(refusals.OrderState):
        orders.confirm_order(never.id, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(NotFound):
        orders.confirm_order(uuid4(), by=BY, at=NOON)


def test_nothing_is_opened_under_an_agreement_that_is_not_active(power_bank: Shop, ada: Person) -> None:
    pending = credit.request_agreement(power_bank.merchant.id, power_bank.service.id, "u-2", by=BY, at=NOON)
    ended = make_agreement(power_bank, ada)
    credit.stop_agreement(ended.id, by=BY, at=NOON)
    for agreement in (pending, ended):
        with assert_unchanged(), pytest.raises(refusals.AgreementNotActive):
            orders.open_order(power_bank.merchant.id, order_request(agreement), by=BY, at=NOON)


def test_a_paused_service_opens_nothing_new(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    paused = {"state": "paused"}
    merchants.change_service(power_bank.merchant.id, power_bank.service.id, paused, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(ServicePaused):
        orders.open_order(power_bank.merchant.id, order_request(agreement), by=BY, at=NOON)


def test_another_merchants_agreement_is_a_missing_one(power_bank: Shop, ada: Person) -> None:
    other, agreement = make_shop("雨伞"), make_agreement(power_bank, ada)
    with assert_unchanged(), pytest.raises(NotFound):
        orders.open_order(other.merchant.id, order_request(agreement), by=BY, at=NOON)


def test_a_refused_assessment_is_stored_and_the_merchant_gets_a_coarse_reason(power_bank: Shop) -> None:
    api = Api(power_bank)
    person = make_person(power_bank)
    agreement = make_agreement(power_bank, person)
    Profile.objects.filter(pk=person.id).update(limit_minor=9_899)

    with assert_unchanged("credit_decision"):
        problem = assert_problem(api.post("orders", order_body(agreement.public_id)), 402, "order_refused")

    assert problem["reason"] == "amount_too_high"
    decision = Decision.objects.get(occasion="order")
    assert (decision.approved, decision.reasons) == (False, ["limit_reached"])


def test_terms_stay_as_they_were_when_the_order_was_opened(power_bank: Shop, ada: Person) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada))
    terms = {"grace": timedelta(), "ceiling_minor": 1}
    merchants.change_service(power_bank.merchant.id, power_bank.service.id, terms, by=BY, at=NOON)

    done = orders.complete_order(order.id, orders.CompletionRequest(total=9_900), by=BY, at=NOON)

    assert done.obligations.get().overdue_from == NOON + timedelta(hours=72)
