"""Array parameters arrive unchanged, whatever their values; UUIDs too, single or many."""

from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.arrays import array_formatter
from kernel.prepared_statements import PreparedStatement

pytestmark = pytest.mark.django_db

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(
        ["NULL", "null", "", " ", '"', "\\", '\\"', "{}", "a,b", "{a,b}", "中文 😀", "a b", "-1", "\n", "_x"]
    ),
    "uuid": st.uuids(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
}
ECHO = PreparedStatement(
    "SELECT * FROM unnest($1, $2, $3, $4)",
    [f"{kind}[]" for kind in KINDS],
)
ROWS = st.lists(st.tuples(*(st.none() | values for values in KINDS.values())), max_size=8)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_values_arrive_unchanged(rows: list[tuple[Any, ...]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in KINDS]
    assert ECHO.rows(*columns) == rows
    assert ECHO.rows_unprepared(*columns) == rows


class Mood(str, Enum):  # noqa: UP042  the old kind, whose str() is not its value
    GLAD = "glad"


def test_str_subclasses_are_written_by_value() -> None:
    assert PreparedStatement("SELECT $1", ["text[]"]).rows([Mood.GLAD, 1]) == [(["glad", "1"],)]


def test_unsupported_types_are_left_to_the_driver() -> None:
    assert array_formatter("interval[]") is None
    assert array_formatter("uuid") is None
    assert PreparedStatement("SELECT $1", ["bytea[]"]).rows([b"\x00\\"])[0][0][0].tobytes() == b"\x00\\"


def test_none_is_null_and_an_empty_list_is_an_empty_array() -> None:
    assert PreparedStatement("SELECT $1 IS NULL, $2 = '{}'", ["uuid[]", "uuid[]"]).rows(None, []) == [(True, True)]


def test_uuids_round_trip_through_any_cursor() -> None:
    key, other = UUID("018f4d2e-0000-7000-8000-00000000000a"), UUID(int=(1 << 128) - 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, %s::uuid[], NULL::uuid, %s::text", [key, [key, other], key])
        assert cursor.fetchone() == (key, [key, other], None, str(key))
        cursor.execute("SELECT %s = ANY (%s)", [key, [other, key]])
        assert cursor.fetchone() == (True,)


@pytest.mark.parametrize(("word", "refusal"), [("a\x00b", ValueError), ("\ud800", UnicodeEncodeError)])
def test_what_no_text_of_postgresql_holds_is_refused_before_it_is_sent(word: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        PreparedStatement("SELECT $1", ["text[]"]).rows(["fine", word])
