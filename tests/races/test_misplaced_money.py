"""Two members of staff, or staff and the channel, handle the same misplaced money at once: it is corrected once."""

from functools import partial
from typing import Any

import pytest

from billing.channels import Succeeded
from billing.models import Break, Case
from billing.services import cases
from billing.services.breaks import resolve_break
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.disputes import record_chargeback
from billing.services.stray_chargebacks import Chargeback
from tests.billing.helpers import balances
from tests.billing.statements import NEXT_DAY, STRAY, import_file, statement_of
from tests.billing.test_corrected_once import missing_deduction, unknown_deduction, unpaid_refund
from tests.billing.test_known_discrepancies import MORE, truncated_statement
from tests.conftest import BY, NOON, Shop, make_shop, yuan
from tests.races.checks import rounds
from tests.threads import refusals, run_concurrently

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.breaks_invariants]


def placing(row: Break) -> Any:
    return partial(resolve_break, row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NEXT_DAY)


def clearing(shop: Shop) -> int:
    return balances(shop).get("clearing:sandbox", 0)


def test_two_breaks_of_one_difference_are_placed_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.services.statement_matching.new_discrepancies", lambda _statement, rows: rows)
    for _ in rounds("one difference, two breaks"):
        shop = make_shop("a")
        import_file(shop, truncated_statement(STRAY))
        import_file(shop, statement_of([STRAY, MORE]))
        first, second = Break.objects.filter(realm_id=shop.realm_id, theirs_minor=700)
        assert refusals(run_concurrently(placing(first), placing(second))) == ["nothing_to_post"]
        assert balances(shop)["suspense"] == 700


def test_a_case_and_a_difference_of_a_refund_that_never_went(db: None) -> None:
    for _ in rounds("case and difference"):
        shop = make_shop("a")
        case, row = unpaid_refund(shop)
        closing = partial(cases.close_case, case.id, "wallet", "x", by=BY, at=NEXT_DAY)
        assert set(refusals(run_concurrently(closing, placing(row)))) <= {"nothing_to_post"}
        assert (clearing(shop), balances(shop)["wallet"]) == (600, 200)
        assert "suspense" not in balances(shop)


def test_a_dispute_and_a_difference_of_a_debit_that_is_gone(db: None) -> None:
    for turn in rounds("dispute and difference"):
        shop = make_shop("a")
        made, row = missing_deduction(shop)
        told = Chargeback(f"rt-{turn}", yuan("6"), "no_funds")
        outcomes = run_concurrently(partial(record_chargeback, made.id, told, by=BY, at=NEXT_DAY), placing(row))
        assert set(refusals(outcomes)) <= {"nothing_to_post"}
        assert (clearing(shop), "suspense" in balances(shop)) == (0, False)


def test_unidentified_money_is_placed_while_the_channel_identifies_it(db: None) -> None:
    for turn in rounds("nameless line and success"):
        shop = make_shop("a")
        made = unknown_deduction(shop)
        import_file(shop, statement_of([STRAY | {"transaction": f"T-{turn}", "amount": 600}]))
        row = Break.objects.get(realm_id=shop.realm_id, kind="missing_here")
        word = [DeductionReport(made.id, Succeeded(f"T-{turn}", yuan("6")), "query")]
        outcomes = run_concurrently(partial(settle_all, word, by=BY, at=NOON), placing(row))
        assert set(refusals(outcomes)) <= {"nothing_to_post"}
        assert (clearing(shop), "suspense" in balances(shop)) == (600, False)


def test_a_wrong_amount_is_judged_while_the_channel_puts_it_right(db: None) -> None:
    for turn in rounds("judged and put right"):
        shop = make_shop("a")
        made = unknown_deduction(shop)
        said = partial(Succeeded, f"W-{turn}")
        settle_all([DeductionReport(made.id, said(yuan("5.99")), "query")], by=BY, at=NOON)
        case = Case.objects.get(realm_id=shop.realm_id)
        right = partial(settle_all, [DeductionReport(made.id, said(yuan("6")), "query")], by=BY, at=NOON)
        closing = partial(cases.close_case, case.id, "returned", "x", by=BY, at=NEXT_DAY)
        codes = refusals(run_concurrently(right, closing))
        assert clearing(shop) == (600 if codes == ["case_closed"] else 0), codes
        assert "suspense" not in balances(shop)
