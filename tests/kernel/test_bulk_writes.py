"""Bulk inserts and updates write each row's own values, without truncation or loss."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from kernel.bulk_writes import insert_all, update_all
from kernel.ids import uuid7
from ledger.models import Posting
from orders.models import Obligation, Plan
from tests.conftest import NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan

pytestmark = pytest.mark.django_db


@pytest.fixture
def obligations(power_bank: Shop) -> list[Obligation]:
    made = [make_due_order(power_bank, make_person(power_bank), yuan(str(n))) for n in (1, 2, 3)]
    return [order.obligations.get() for order in made]


def test_each_row_gets_its_own_values_of_every_kind_in_one_statement(obligations: list[Obligation]) -> None:
    kept = [dict(row.db_values) for row in obligations]
    for n, row in enumerate(obligations):
        row.plan = [{"at": NOON.isoformat(), "reason": "重试 'x'\n{}\\ 🎉", "n": n}]
        row.last_failure = None if n else {"code": "x"}
        row.overdue_left = timedelta(hours=n)
        row.day_end_error = "" if n else "坏行"
    names = ["plan", "last_failure", "overdue_left", "day_end_error"]

    with CaptureQueriesContext(
        connection,
    ) as seen:
        update_all(obligations, names)

    assert len([query for query in seen if not query["sql"].startswith("PREPARE")]) == 1
    for row, before in zip(obligations, kept, strict=True):
        now = Obligation.objects.get(pk=row.pk)
        assert [getattr(now, name) for name in names] == [getattr(row, name) for name in names]
        assert {k: v for k, v in now.db_values.items() if k not in names} == {
            k: v for k, v in before.items() if k not in names
        }
        update_all([row], ["amount_minor"])
    # Put back what the book knows nothing of.
    for row, before in zip(obligations, kept, strict=True):
        Obligation.objects.filter(pk=row.pk).update(**{name: before[name] for name in names})


def test_too_long_texts_are_refused_not_truncated(obligations: list[Obligation]) -> None:
    obligations[0].day_end_error = "x" * 301
    with pytest.raises(DataError), transaction.atomic():
        update_all(obligations, ["day_end_error"])
    with pytest.raises(DataError), transaction.atomic():
        insert_all([Plan(obligation=obligations[0], person_id=obligations[0].person_id, why="x" * 17, at=NOON)])


def test_inserted_rows_keep_their_order_and_database_defaults(obligations: list[Obligation]) -> None:
    rows = [Plan(obligation=row, person_id=row.person_id, why="moved", attempts=[], at=NOON) for row in obligations]
    insert_all(rows)

    assert not any(row._state.adding for row in rows)
    found = list(Plan.objects.order_by("id"))
    assert [row.id for row in found] == [row.id for row in rows]
    assert all(row.recorded_at > datetime(2020, 1, 1, tzinfo=UTC) for row in found)


def test_nothing_to_write_sends_no_query() -> None:
    with CaptureQueriesContext(connection) as seen:
        update_all([], ["plan"])
        update_all([Posting(id=uuid7())], [])
        insert_all([])
    assert len(seen) == 0


def test_a_step_writes_only_what_changed(power_bank: Shop) -> None:
    order = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    stale = type(order).objects.get(pk=order.pk)
    type(order).objects.filter(pk=order.pk).update(attach="written by somebody else")

    assert stale.changed_columns == set()
    stale.end_location = "北京"
    assert stale.changed_columns == {"end_location"}


@pytest.mark.parametrize(
    ("word", "refusal"),
    [("a\x00b", ValueError), ("\\\x00", ValueError), ("\ud800", UnicodeEncodeError)],
    ids=["NUL", "NUL after a backslash", "half of a character"],
)
def test_what_no_text_of_postgresql_holds_is_refused_before_it_is_sent(
    obligations: list[Obligation], word: str, refusal: type[Exception]
) -> None:
    obligations[1].day_end_error = word
    with CaptureQueriesContext(connection) as seen, pytest.raises(refusal):
        update_all(obligations, ["day_end_error"])
    assert len(seen) == 0


@pytest.mark.parametrize(
    "word", ["\\u0000", "\\\\u0000", '"', "先享后付 🛴", "\u2028\x7f\x01", "'; DROP TABLE x; --", "NULL"]
)
def test_special_texts_arrive_unchanged(obligations: list[Obligation], word: str) -> None:
    row = obligations[0]
    row.day_end_error, row.overdue_left = word, -timedelta(days=1, microseconds=1)
    row.last_failure = {"code": word, word: [None, 2**53 + 1]}
    update_all([row], ["day_end_error", "overdue_left", "last_failure"])
    now = Obligation.objects.get(pk=row.pk)
    assert (now.day_end_error, now.overdue_left, now.last_failure) == (word, row.overdue_left, row.last_failure)
    row.day_end_error, row.overdue_left, row.last_failure = "", None, None
    update_all([row], ["day_end_error", "overdue_left", "last_failure"])
