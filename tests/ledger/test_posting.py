"""An entry posts once, its accounts are in the chart, and postings never change."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from kernel.ids import uuid7
from kernel.models import LIVE
from kernel.money import Money
from ledger import accounts as book
from ledger.models import Posting
from ledger.queries import balance, trial_balance
from ledger.services import JournalEntry, post
from tests.conftest import NOON
from tests.db_errors import CHECK, UNIQUE, raises_db_error
from tests.unchanged import assert_unchanged

PERSON, MERCHANT = uuid4(), uuid4()
OWED_MOVE = book.Move(book.receivable(PERSON), book.pending(MERCHANT), Money(600))


def create_posting(**other: Any) -> Posting:
    standard = {
        "realm_id": LIVE,
        "cause_id": uuid7(),
        "kind": "completed",
        "debit_account": "receivable",
        "debit_owner": PERSON,
        "credit_account": "pending",
        "credit_owner": MERCHANT,
        "amount_minor": 1,
        "currency": "CNY",
        "at": NOON,
    }
    return Posting.objects.create(**standard | other)


@pytest.mark.django_db
def test_an_entry_posts_once_and_a_repeat_posts_nothing() -> None:
    fact = JournalEntry(uuid7(), "completed", [OWED_MOVE])
    post([fact], realm_id=LIVE, at=NOON)
    with assert_unchanged():
        with pytest.raises(IntegrityError), transaction.atomic():
            post([JournalEntry(uuid7(), "completed", [OWED_MOVE]), fact], realm_id=LIVE, at=NOON)
        with raises_db_error(UNIQUE, "one_fact_posts_once"):
            post([fact], realm_id=LIVE, at=NOON)


@pytest.mark.django_db
def test_one_cause_may_post_several_kinds_and_moves() -> None:
    cause, order = uuid7(), uuid7()
    fee = book.Move(book.payable(MERCHANT), book.FEES, Money(4))
    post(
        [
            JournalEntry(cause, "completed", [OWED_MOVE, fee], order),
            JournalEntry(cause, "collected", [OWED_MOVE], order),
        ],
        realm_id=LIVE,
        at=NOON,
    )

    rows = Posting.objects.order_by("kind", "line").values_list("kind", "line", "order_id")
    assert list(rows) == [("collected", 0, order), ("completed", 0, order), ("completed", 1, order)]


@pytest.mark.django_db
def test_zero_moves_are_left_out() -> None:
    nothing = book.Move(book.payable(MERCHANT), book.FEES, Money(0))
    with assert_unchanged():
        assert post([JournalEntry(uuid7(), "completed", [nothing])], realm_id=LIVE, at=NOON) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"amount_minor": 0}, "a_posting_moves_something"),
        ({"amount_minor": -1}, "a_posting_moves_something"),
        ({"currency": "cny"}, "posting_currency_is_iso"),
        ({"currency": "CN"}, "posting_currency_is_iso"),
        ({"debit_account": "pocket", "debit_owner": None}, "both_sides_are_in_the_chart"),
        ({"credit_account": "Fees", "credit_owner": None}, "both_sides_are_in_the_chart"),
        ({"debit_owner": None}, "a_debit_has_its_owner"),
        ({"credit_owner": None}, "a_credit_has_its_owner"),
        ({"debit_account": "fees"}, "a_debit_has_its_owner"),
        ({"credit_account": "clearing:sandbox"}, "a_credit_has_its_owner"),
        ({"credit_account": "receivable", "credit_owner": PERSON}, "a_posting_has_two_sides"),
        (
            {"debit_account": "fees", "debit_owner": None, "credit_account": "fees", "credit_owner": None},
            "a_posting_has_two_sides",
        ),
    ],
)
def test_a_posting_outside_the_chart_is_refused(wrong: dict[str, Any], rule: str) -> None:
    with assert_unchanged(), raises_db_error(CHECK, rule):
        create_posting(**wrong)


@pytest.mark.django_db
def test_a_move_between_two_owners_of_one_account_is_a_posting() -> None:
    assert create_posting(credit_account="receivable", credit_owner=uuid4()).pk


@pytest.mark.parametrize(("code", "owner"), [("receivable", None), ("fees", PERSON), ("clearing:sandbox", PERSON)])
def test_an_account_has_an_owner_or_none_as_the_chart_says(code: str, owner: UUID | None) -> None:
    with pytest.raises(ValueError, match="owner"):
        book.Account(code, owner)


@pytest.mark.parametrize("code", ["pocket", "", "clearing:", "Receivable"])
def test_an_unknown_code_is_no_account(code: str) -> None:
    with pytest.raises(KeyError):
        book.Account(code)


@pytest.mark.django_db
def test_balances_are_on_their_normal_side_by_owner_currency_and_realm() -> None:
    other = uuid4()
    dollars = book.Move(book.receivable(PERSON), book.pending(MERCHANT), Money(7, "USD"))
    theirs = book.Move(book.receivable(other), book.pending(MERCHANT), Money(5))
    back = book.Move(book.pending(MERCHANT), book.receivable(PERSON), Money(200))
    for move in (OWED_MOVE, dollars, theirs, back):
        post([JournalEntry(uuid7(), "completed", [move])], realm_id=LIVE, at=NOON)

    assert balance(book.receivable(PERSON), realm_id=LIVE, currency="CNY") == Money(400)
    assert balance(book.receivable(PERSON), realm_id=LIVE, currency="USD") == Money(7, "USD")
    assert balance(book.pending(MERCHANT), realm_id=LIVE, currency="CNY") == Money(405)
    assert balance(book.receivable(uuid4()), realm_id=LIVE, currency="CNY") == Money(0)
    assert balance(book.receivable(PERSON), realm_id=LIVE + 1, currency="CNY") == Money(0)
    for currency in ("CNY", "USD"):
        rows = [line for line in trial_balance(LIVE) if line.currency == currency]
        assert sum(line.debits for line in rows) == sum(line.credits for line in rows) > 0
