"""Arrays arrive as they were given, whatever is in them; keys too, alone and many."""

from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.arrays import writer
from kernel.prepared import Question

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
ECHO = Question(
    "SELECT * FROM unnest($1, $2, $3, $4)",
    [f"{kind}[]" for kind in KINDS],
)
ROWS = st.lists(st.tuples(*(st.none() | values for values in KINDS.values())), max_size=8)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_what_is_given_arrives(rows: list[tuple[Any, ...]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in KINDS]
    assert ECHO.rows(*columns) == rows
    assert ECHO.rows_planned_anew(*columns) == rows


class Mood(str, Enum):  # noqa: UP042  the old kind, whose str() is not its value
    GLAD = "glad"


def test_what_is_only_like_a_word_is_written_as_its_value() -> None:
    assert Question("SELECT $1", ["text[]"]).rows([Mood.GLAD, 1]) == [(["glad", "1"],)]


def test_a_type_whose_arrays_the_driver_writes_is_left_to_it() -> None:
    assert writer("interval[]") is None
    assert writer("uuid") is None
    assert Question("SELECT $1", ["bytea[]"]).rows([b"\x00\\"])[0][0][0].tobytes() == b"\x00\\"


def test_no_list_is_null_and_an_empty_one_is_empty() -> None:
    assert Question("SELECT $1 IS NULL, $2 = '{}'", ["uuid[]", "uuid[]"]).rows(None, []) == [(True, True)]


def test_keys_come_and_go_by_any_cursor() -> None:
    key, other = UUID("018f4d2e-0000-7000-8000-00000000000a"), UUID(int=(1 << 128) - 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, %s::uuid[], NULL::uuid, %s::text", [key, [key, other], key])
        assert cursor.fetchone() == (key, [key, other], None, str(key))
        cursor.execute("SELECT %s = ANY (%s)", [key, [other, key]])
        assert cursor.fetchone() == (True,)


@pytest.mark.parametrize(("word", "refusal"), [("a\x00b", ValueError), ("\ud800", UnicodeEncodeError)])
def test_what_no_text_of_postgresql_holds_is_refused_before_it_is_sent(word: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        Question("SELECT $1", ["text[]"]).rows(["fine", word])
