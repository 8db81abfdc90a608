"""Two colleagues, or a colleague and the channel, see to the same money at one moment: it is put right once."""

from functools import partial
from typing import Any

import pytest

from billing.channels import Taken
from billing.models import Break, Case
from billing.services import cases
from billing.services.breaks import settle_break
from billing.services.disputes import take_back
from billing.services.settle import Report, settle_all
from billing.services.stray_returns import Withdrawal
from tests.billing.bench import balances
from tests.billing.statements import NEXT_DAY, STRAY, taken_in, written
from tests.billing.test_put_right_once import missing, never_went, unsure
from tests.billing.test_told_before import MORE, cut_short
from tests.conftest import BY, NOON, Shop, make_shop, yuan
from tests.races.ground import rounds
from tests.threads import at_once, refusals

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.breaks_the_house]


def placing(row: Break) -> Any:
    return partial(settle_break, row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NEXT_DAY)


def clearing(shop: Shop) -> int:
    return balances(shop).get("clearing:sandbox", 0)


def test_two_breaks_of_one_difference_are_placed_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.services.compare.untold", lambda _statement, parted: parted)
    for _ in rounds("one difference, two breaks"):
        shop = make_shop("a")
        taken_in(shop, cut_short(STRAY))
        taken_in(shop, written([STRAY, MORE]))
        first, second = Break.objects.filter(realm_id=shop.realm_id, theirs_minor=700)
        assert refusals(at_once(placing(first), placing(second))) == ["nothing_to_post"]
        assert balances(shop)["suspense"] == 700


def test_a_case_and_a_difference_of_a_refund_that_never_went(db: None) -> None:
    for _ in rounds("case and difference"):
        shop = make_shop("a")
        case, row = never_went(shop)
        closing = partial(cases.close_case, case.id, "wallet", "x", by=BY, at=NEXT_DAY)
        assert set(refusals(at_once(closing, placing(row)))) <= {"nothing_to_post"}
        assert (clearing(shop), balances(shop)["wallet"]) == (600, 200)
        assert "suspense" not in balances(shop)


def test_a_dispute_and_a_difference_of_a_debit_that_is_gone(db: None) -> None:
    for turn in rounds("dispute and difference"):
        shop = make_shop("a")
        made, row = missing(shop)
        told = Withdrawal(f"rt-{turn}", yuan("6"), "no_funds")
        outcomes = at_once(partial(take_back, made.id, told, by=BY, at=NEXT_DAY), placing(row))
        assert set(refusals(outcomes)) <= {"nothing_to_post"}
        assert (clearing(shop), "suspense" in balances(shop)) == (0, False)


def test_a_nameless_line_is_placed_while_the_channel_says_whose_it_is(db: None) -> None:
    for turn in rounds("nameless line and success"):
        shop = make_shop("a")
        made = unsure(shop)
        taken_in(shop, written([STRAY | {"transaction": f"T-{turn}", "amount": 600}]))
        row = Break.objects.get(realm_id=shop.realm_id, kind="missing_here")
        word = [Report(made.id, Taken(f"T-{turn}", yuan("6")), "query")]
        outcomes = at_once(partial(settle_all, word, by=BY, at=NOON), placing(row))
        assert set(refusals(outcomes)) <= {"nothing_to_post"}
        assert (clearing(shop), "suspense" in balances(shop)) == (600, False)


def test_a_wrong_amount_is_judged_while_the_channel_puts_it_right(db: None) -> None:
    for turn in rounds("judged and put right"):
        shop = make_shop("a")
        made = unsure(shop)
        said = partial(Taken, f"W-{turn}")
        settle_all([Report(made.id, said(yuan("5.99")), "query")], by=BY, at=NOON)
        case = Case.objects.get(realm_id=shop.realm_id)
        right = partial(settle_all, [Report(made.id, said(yuan("6")), "query")], by=BY, at=NOON)
        closing = partial(cases.close_case, case.id, "returned", "x", by=BY, at=NEXT_DAY)
        codes = refusals(at_once(right, closing))
        assert clearing(shop) == (600 if codes == ["case_closed"] else 0), codes
        assert "suspense" not in balances(shop)
