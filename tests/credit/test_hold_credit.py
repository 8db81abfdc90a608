"""Holding an amount and counting its order are one step: both happen, or neither."""

import pytest
from django.db import transaction

from credit import queries as standings
from credit import services as credit
from credit.models import Agreement, CurrencyLimit, Decision, Profile
from credit.refusals import AgreementState
from credit.usage import hold_credit
from kernel.money import Money
from merchants import services as merchants
from tests.conftest import BY, NOON, Shop, make_agreement, make_person, make_shop

pytestmark = pytest.mark.django_db


def used(agreement: Agreement) -> tuple[int, int, int, int]:
    """Amounts held in the own and in another currency, open orders, and live orders of the agreement."""
    profile = Profile.objects.get(pk=agreement.person_id)
    abroad = sum(CurrencyLimit.objects.filter(person_id=profile.pk).values_list("held_minor", flat=True))
    live = Agreement.objects.values_list("live_orders", flat=True).get(pk=agreement.pk)
    return profile.held_minor, abroad, profile.open_orders, live


def dollars() -> Shop:
    shop = make_shop("Dollar Shop")
    offer = {"name": "Umbrella", "mode": "dynamic", "ceiling_minor": 5_000, "currency": "USD"}
    service = merchants.offer_service(shop.merchant.id, offer, by=BY, at=NOON)
    return Shop(shop.merchant, shop.live, shop.secret, service)


@pytest.mark.parametrize("abroad", [False, True])
def test_nothing_is_held_if_the_agreement_ended_meanwhile(power_bank: Shop, *, abroad: bool) -> None:
    shop = dollars() if abroad else power_bank
    agreement = make_agreement(shop, make_person(shop))
    standing = standings.standing_of(agreement.id, at=NOON)
    assert standing.is_foreign_currency == abroad
    credit.stop_agreement(agreement.id, by=BY, at=NOON)
    before, decisions = used(agreement), Decision.objects.count()

    with pytest.raises(AgreementState), transaction.atomic():
        credit.decide(standing, 100, occasion=Decision.Occasion.ORDER, at=NOON, hold_amount=True, count_order=True)

    assert (used(agreement), Decision.objects.count()) == (before, decisions)


@pytest.mark.parametrize("abroad", [False, True])
def test_an_amount_above_the_limit_is_neither_held_nor_counted(power_bank: Shop, *, abroad: bool) -> None:
    shop = dollars() if abroad else power_bank
    agreement = make_agreement(shop, make_person(shop))
    standing = standings.standing_of(agreement.id, at=NOON)
    before, facts = used(agreement), standing.facts(100)
    assert agreement.person_id is not None
    too_much = Money(10**9, shop.service.currency)
    assert not hold_credit(agreement.person_id, too_much, facts, is_foreign_currency=abroad, agreement_id=agreement.id)
    assert used(agreement) == before
    within = Money(100, shop.service.currency)
    with transaction.atomic():
        assert hold_credit(agreement.person_id, within, facts, is_foreign_currency=abroad, agreement_id=agreement.id)
        now = (0, 100) if abroad else (100, 0)
        assert used(agreement) == (*now, 1, 1)
        transaction.set_rollback(True)  # there is no order behind it
