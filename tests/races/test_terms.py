"""A person agrees while the merchant changes the terms: what they saw counts, or nothing."""

from functools import partial

import pytest

from credit import reassessments
from credit import services as credit
from credit.models import Agreement
from merchants import services as merchants
from tests.billing.test_agreed_terms import asked_for, seal_of
from tests.conftest import BY, NOON, Shop, make_agreement, make_person, make_shop
from tests.races.checks import rounds
from tests.threads import refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)
WIDER = {"confirmation": False, "ceiling_minor": 500_00}


def changing(shop: Shop) -> partial[object]:
    return partial(merchants.change_service, shop.merchant.id, shop.service.id, WIDER, by=BY, at=NOON)


def test_signing_while_the_terms_change(db: None) -> None:
    for _ in rounds("yes and change"):
        shop = make_shop("a", confirmation=True, ceiling_minor=50_00)
        person, shown = make_person(shop), seal_of(shop)
        asked = credit.request_agreement(shop.merchant.id, shop.service.id, "u", by=BY, at=NOON)
        yes = partial(credit.sign_agreement, asked.id, person.id, by=BY, at=NOON, seen_fingerprint=shown)
        refused = refusals(run_concurrently(yes, changing(shop)))
        row = Agreement.objects.get(pk=asked.pk)
        if refused:
            assert (refused, row.state, row.person_id) == (["terms_changed"], "pending", None)
        else:
            assert (row.state, row.agreed_terms.ceiling_minor, row.agreed_terms.confirmation) == ("active", 50_00, True)


def test_eight_acceptances_of_new_terms_are_one(db: None) -> None:
    for _ in rounds("eight yeses and an order"):
        shop = make_shop("a", confirmation=True, ceiling_minor=50_00)
        agreement = make_agreement(shop, make_person(shop))
        changing(shop)()
        yes = partial(reassessments.accept_new_terms, agreement.id, seal_of(shop), by=BY, at=NOON)
        *_, state = run_concurrently(*[yes] * 8, partial(asked_for, shop, agreement, 500_00))
        assert state in ("open", "created")
        assert agreement.history.filter(kind="agreed_anew").count() == 1
        assert asked_for(shop, agreement, 500_00) == "open"
