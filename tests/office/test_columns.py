"""Lists read by whole columns have the same cell texts as lists read row by row."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.db import connection, models, transaction
from django.utils.translation import override

from kernel import admin_columns
from kernel.admin_site import ReadOnlyAdmin
from kernel.console_lists import cell_value
from tests.conftest import NOON, Shop
from tests.office.person_history import person_with_history

LISTS = [shown for shown in admin.site._registry.values() if isinstance(shown, ReadOnlyAdmin)]  # noqa: SLF001
#: A colleague's groups are rows of another table, and what a role is called is a word of ours.
BY_ROW = {"accounts.User", "auth.Group"}
WORDS = ("=1+1", 'a,"b"\r\n<c>', "充电宝 & Söhne", "")
NUMBERS = (-5, 0, 1234, 30_000)
MOMENTS = (NOON, NOON.replace(microsecond=500), datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
#: What is no text whatever: a currency, and where a message went.
MEANT = {"currency": "CNY", "to": "+8613812341234"}
VALUES: tuple[tuple[Any, tuple[Any, ...]], ...] = (
    (models.BinaryField, (b"x",)),
    ((models.CharField, models.TextField), WORDS),
    (models.DateTimeField, MOMENTS),
    (models.DateField, (date(2026, 11, 1), date(1999, 1, 31))),
    (models.BooleanField, (True, False)),
    (models.JSONField, ({"a": [1, None, "x"]}, [], ["b", '"c"'], {})),
    (models.UUIDField, (UUID(int=77), UUID(int=2**127))),
    (models.DurationField, (timedelta(days=1, microseconds=5), timedelta(0))),
    ((models.PositiveIntegerField, models.PositiveSmallIntegerField), (400, 401, 777)),
)
ROWS = 4


def told(shown: ReadOnlyAdmin, *, by_row: bool) -> admin_columns.ColumnBatch:
    rows = shown.model._default_manager.order_by("-pk")
    if by_row:
        return admin_columns._read_by_row(shown, shown.column_names, rows)  # noqa: SLF001  what the other is compared with
    return admin_columns.column_reader(shown, shown.column_names)(rows)


def same(shown: ReadOnlyAdmin) -> int:
    """How many rows were compared, cell by cell."""
    fast, slow = told(shown, by_row=False), told(shown, by_row=True)
    for name, ours, theirs in zip(shown.column_names, fast.columns, slow.columns, strict=True):
        assert ours == theirs, (shown.model, name)
    assert fast.keys == slow.keys
    return len(slow.keys)


def shadow() -> None:
    """Tables of the same names and columns stand before the real ones, without rules, and hold whatever fits them."""
    listed = {shown.model for shown in LISTS}
    related = {field.related_model for model in listed for field in model._meta.concrete_fields if field.is_relation}
    for number, model in enumerate(sorted(listed | related, key=lambda model: model._meta.label)):
        table, fields = model._meta.db_table, model._meta.concrete_fields
        rows = [[_value(field, place, number) for field in fields] for place in range(ROWS)]
        given = [
            field.get_db_prep_save(value, connection) for row in rows for field, value in zip(fields, row, strict=True)
        ]
        line = f"({', '.join(['%s'] * len(fields))})"
        names = ", ".join(f'"{field.column}"' for field in fields)
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE TEMP TABLE "{table}" (LIKE public."{table}") ON COMMIT DROP')
            cursor.execute(f'INSERT INTO "{table}" ({names}) VALUES {", ".join([line] * ROWS)}', given)  # noqa: S608


def _value(field: Any, place: int, number: int) -> Any:
    if field.primary_key or field.is_relation:
        return None if field.null and place == ROWS - 1 else _key(field, place)
    if field.null and (place == ROWS - 1 or isinstance(field, models.BinaryField)):  # what is sealed cannot be made up
        return None
    if field.choices:
        return field.choices[place % len(field.choices)][0]
    if (meant := MEANT.get(field.name.rpartition("_")[2])) is not None:
        return meant
    values = next((values for kinds, values in VALUES if isinstance(field, kinds)), NUMBERS)
    value = values[(place + number) % len(values)]
    return value[: field.max_length] if isinstance(value, str) else value


def _key(field: Any, place: int) -> Any:
    """The key of one of the rows that every table has."""
    while field.is_relation:
        field = field.target_field
    match field:
        case models.UUIDField():
            return UUID(int=place + 1)
        case models.CharField():
            return f"k{place}"
        case _:
            return place + 1


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_list_reads_the_same_by_columns_and_by_rows(
    language: str, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction.atomic(), override(language):
        shadow()
        assert {same(shown) for shown in LISTS} == {ROWS}
        looked: set[str] = set()
        monkeypatch.setattr(
            admin_columns,
            "cell_value",
            lambda shown, *cell: looked.add(shown.model._meta.label) or cell_value(shown, *cell),
        )
        for shown in LISTS:
            told(shown, by_row=False)
        transaction.set_rollback(True)  # the shadows are gone
    assert looked == BY_ROW


def test_real_data_reads_the_same_by_columns_and_by_rows(power_bank: Shop) -> None:
    person_with_history(power_bank, 1)
    with override("zh-hans"):
        assert sum(same(shown) for shown in LISTS) > 100
        people = next(shown for shown in LISTS if shown.model._meta.label == "accounts.Person")
        read = told(people, by_row=False)
    assert all("*" in masked for column in read.columns[1:3] for masked in column if masked)
    assert any(read.columns[1])
