"""Many rows in one statement: each its own values, nothing cut, nothing lost."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from kernel.ids import uuid7
from kernel.writes import insert_all, update_all
from ledger.models import Posting
from orders.models import Obligation, Plan
from tests.conftest import NOON, Shop, completed, opened, ordered, someone, yuan

pytestmark = pytest.mark.django_db


@pytest.fixture
def owed(power_bank: Shop) -> list[Obligation]:
    made = [completed(power_bank, someone(power_bank), yuan(str(n))) for n in (1, 2, 3)]
    return [order.obligations.get() for order in made]


def test_each_row_gets_its_own_values_of_every_kind_in_one_statement(owed: list[Obligation]) -> None:
    kept = [dict(row.kept) for row in owed]
    for n, row in enumerate(owed):
        row.plan = [{"at": NOON.isoformat(), "reason": "重试 'x'\n{}\\ 🎉", "n": n}]
        row.last_failure = None if n else {"code": "x"}
        row.overdue_left = timedelta(hours=n)
        row.day_end_error = "" if n else "坏行"
    names = ["plan", "last_failure", "overdue_left", "day_end_error"]

    with CaptureQueriesContext(
        connection,
    ) as seen:
        update_all(owed, names)

    assert len([query for query in seen if not query["sql"].startswith("PREPARE")]) == 1
    for row, before in zip(owed, kept, strict=True):
        now = Obligation.objects.get(pk=row.pk)
        assert [getattr(now, name) for name in names] == [getattr(row, name) for name in names]
        assert {k: v for k, v in now.kept.items() if k not in names} == {
            k: v for k, v in before.items() if k not in names
        }
        update_all([row], ["amount_minor"])
    # Put back what the book knows nothing of.
    for row, before in zip(owed, kept, strict=True):
        Obligation.objects.filter(pk=row.pk).update(**{name: before[name] for name in names})


def test_what_is_too_long_is_refused_not_cut(owed: list[Obligation]) -> None:
    owed[0].day_end_error = "x" * 301
    with pytest.raises(DataError), transaction.atomic():
        update_all(owed, ["day_end_error"])
    with pytest.raises(DataError), transaction.atomic():
        insert_all([Plan(obligation=owed[0], person_id=owed[0].person_id, why="x" * 17, at=NOON)])


def test_new_rows_keep_their_order_and_what_the_database_fills_in(owed: list[Obligation]) -> None:
    rows = [Plan(obligation=row, person_id=row.person_id, why="moved", attempts=[], at=NOON) for row in owed]
    insert_all(rows)

    assert not any(row._state.adding for row in rows)
    found = list(Plan.objects.order_by("id"))
    assert [row.id for row in found] == [row.id for row in rows]
    assert all(row.recorded_at > datetime(2020, 1, 1, tzinfo=UTC) for row in found)


def test_nothing_to_write_asks_nothing() -> None:
    with CaptureQueriesContext(connection) as seen:
        update_all([], ["plan"])
        update_all([Posting(id=uuid7())], [])
        insert_all([])
    assert len(seen) == 0


def test_a_step_writes_only_what_changed(power_bank: Shop) -> None:
    order = ordered(power_bank, opened(power_bank, someone(power_bank)))
    stale = type(order).objects.get(pk=order.pk)
    type(order).objects.filter(pk=order.pk).update(attach="written by somebody else")

    assert stale.changed == set()
    stale.end_location = "北京"
    assert stale.changed == {"end_location"}


@pytest.mark.parametrize(
    ("word", "refusal"),
    [("a\x00b", ValueError), ("\\\x00", ValueError), ("\ud800", UnicodeEncodeError)],
    ids=["NUL", "NUL after a backslash", "half of a character"],
)
def test_what_no_text_of_postgresql_holds_is_refused_before_it_is_sent(
    owed: list[Obligation], word: str, refusal: type[Exception]
) -> None:
    owed[1].day_end_error = word
    with CaptureQueriesContext(connection) as seen, pytest.raises(refusal):
        update_all(owed, ["day_end_error"])
    assert len(seen) == 0


@pytest.mark.parametrize(
    "word", ["\\u0000", "\\\\u0000", '"', "先享后付 🛴", "\u2028\x7f\x01", "'; DROP TABLE x; --", "NULL"]
)
def test_what_only_looks_like_something_else_arrives_as_it_is(owed: list[Obligation], word: str) -> None:
    row = owed[0]
    row.day_end_error, row.overdue_left = word, -timedelta(days=1, microseconds=1)
    row.last_failure = {"code": word, word: [None, 2**53 + 1]}
    update_all([row], ["day_end_error", "overdue_left", "last_failure"])
    now = Obligation.objects.get(pk=row.pk)
    assert (now.day_end_error, now.overdue_left, now.last_failure) == (word, row.overdue_left, row.last_failure)
    row.day_end_error, row.overdue_left, row.last_failure = "", None, None
    update_all([row], ["day_end_error", "overdue_left", "last_failure"])
