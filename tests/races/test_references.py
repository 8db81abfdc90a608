"""R: two colleagues say at once that something was paid by hand under one reference of the bank's. One of them did."""

from functools import partial

import pytest

from billing.models import Case
from billing.refusals import ReferenceReused
from billing.services import cases
from tests.billing.bench import dollars_that_never_went
from tests.billing.test_paid_by_hand import BOTH
from tests.conftest import NOON, make_shop
from tests.races.ground import rounds
from tests.threads import at_once, refusals

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.breaks_the_house]


def test_one_reference_closes_one_of_two_cases_and_the_other_is_refused_in_words() -> None:
    shop = make_shop("Abroad", currency="USD")
    for turn in rounds("by hand, by hand"):
        both = [dollars_that_never_went(shop), dollars_that_never_went(shop)]
        said = [
            partial(cases.close_case, one.id, "by_hand", "x", paid_as=f"TT {turn}", by=BOTH, at=NOON) for one in both
        ]
        (refusal,) = refusals(at_once(*said))
        assert refusal == ReferenceReused.code
        assert Case.objects.filter(paid_as=f"TT {turn}").count() == 1
