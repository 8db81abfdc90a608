"""A person says yes while the merchant changes what is asked for: what counts is what was shown, or nothing."""

from functools import partial

import pytest

from credit import review
from credit import services as credit
from credit.models import Agreement
from merchants import services as merchants
from tests.billing.test_agreed_terms import asked_for, seal_of
from tests.conftest import BY, NOON, Shop, make_shop, opened, someone
from tests.races.ground import rounds
from tests.threads import at_once, refusals

pytestmark = pytest.mark.django_db(transaction=True)
WIDER = {"confirmation": False, "ceiling_minor": 500_00}


def changing(shop: Shop) -> partial[object]:
    return partial(merchants.change_service, shop.merchant.id, shop.service.id, WIDER, by=BY, at=NOON)


def test_a_yes_and_a_change_of_the_terms(db: None) -> None:
    for _ in rounds("yes and change"):
        shop = make_shop("a", confirmation=True, ceiling_minor=50_00)
        person, shown = someone(shop), seal_of(shop)
        asked = credit.request_agreement(shop.merchant.id, shop.service.id, "u", by=BY, at=NOON)
        yes = partial(credit.sign_agreement, asked.id, person.id, by=BY, at=NOON, shown=shown)
        refused = refusals(at_once(yes, changing(shop)))
        row = Agreement.objects.get(pk=asked.pk)
        if refused:
            assert (refused, row.state, row.person_id) == (["terms_changed"], "pending", None)
        else:
            assert (row.state, row.agreed.ceiling_minor, row.agreed.confirmation) == ("active", 50_00, True)


def test_eight_yeses_to_new_terms_are_one_and_an_order_beside_them_is_of_either(db: None) -> None:
    for _ in rounds("eight yeses and an order"):
        shop = make_shop("a", confirmation=True, ceiling_minor=50_00)
        agreement = opened(shop, someone(shop))
        changing(shop)()
        yes = partial(review.agree_anew, agreement.id, seal_of(shop), by=BY, at=NOON)
        *_, state = at_once(*[yes] * 8, partial(asked_for, shop, agreement, 500_00))
        assert state in ("open", "created")
        assert agreement.history.filter(kind="agreed_anew").count() == 1
        assert asked_for(shop, agreement, 500_00) == "open"
