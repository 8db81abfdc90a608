"""R: two cases are marked as paid with the same bank reference at once. One succeeds."""

from functools import partial

import pytest

from billing.models import Case
from billing.refusals import ReferenceReused
from billing.services import cases
from tests.billing.helpers import case_of_unsent_usd_refund
from tests.billing.test_case_paid_by_hand import BOTH
from tests.conftest import NOON, make_shop
from tests.races.checks import rounds
from tests.threads import refusals, run_concurrently

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.breaks_invariants]


def test_one_reference_closes_one_of_two_cases_and_the_other_is_refused_in_words() -> None:
    shop = make_shop("Abroad", currency="USD")
    for turn in rounds("by hand, by hand"):
        both = [case_of_unsent_usd_refund(shop), case_of_unsent_usd_refund(shop)]
        said = [
            partial(cases.close_case, one.id, "by_hand", "x", paid_as=f"TT {turn}", by=BOTH, at=NOON) for one in both
        ]
        (refusal,) = refusals(run_concurrently(*said))
        assert refusal == ReferenceReused.code
        assert Case.objects.filter(paid_as=f"TT {turn}").count() == 1
