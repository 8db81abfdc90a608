"""R: two colleagues say at once that something was paid by hand under one reference of the bank's. One of them did."""

from functools import partial

import pytest

from billing.channels import Declined
from billing.models import Case, RefundPart
from billing.planning import Kind
from billing.refusals import ReferenceReused
from billing.services import cases
from billing.services.deduct import deduct_due
from billing.services.movements import MovementReport
from billing.services.settle_parts import PARTS
from orders import services as orders
from tests.billing.bench import give_back
from tests.billing.test_paid_by_hand import BOTH
from tests.conftest import BY, NOON, Shop, make_shop, opened, ordered, someone
from tests.races.ground import rounds
from tests.threads import at_once, refusals

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.breaks_the_house]


def never_went(shop: Shop) -> Case:
    """The channel says that two dollars it had given back never went, and no wallet holds them."""
    order = ordered(shop, opened(shop, someone(shop)), currency="USD")
    orders.complete_order(order.id, orders.Final(total=600), by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    give_back(order, "2")
    part = RefundPart.objects.latest("id")
    PARTS.settle_all([MovementReport(part.id, Declined("x", Kind.HARD), "callback")], by=BY, at=NOON)
    return Case.objects.get(refund_part=part)


def test_one_reference_closes_one_of_two_cases_and_the_other_is_refused_in_words() -> None:
    shop = make_shop("Abroad", currency="USD")
    for turn in rounds("by hand, by hand"):
        both = [never_went(shop), never_went(shop)]
        said = [
            partial(cases.close_case, one.id, "by_hand", "x", paid_as=f"TT {turn}", by=BOTH, at=NOON) for one in both
        ]
        (refusal,) = refusals(at_once(*said))
        assert refusal == ReferenceReused.code
        assert Case.objects.filter(paid_as=f"TT {turn}").count() == 1
