"""Splits messages with several SQL statements (kernel.write_batching) into their statements."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from kernel.write_batching import SEPARATOR

#: An array of keys as kernel.arrays writes it, and a key in the rows that kernel.bulk_writes gives as JSON.
KEYS = re.compile(r"\{(?:[0-9a-f]{32}|NULL)(?:,(?:[0-9a-f]{32}|NULL))*\}")
KEY = re.compile(r'"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')


def split_statements(sql: str, params: Any) -> Iterator[tuple[str, Any]]:
    """The statements of one message, each with its own parameters."""
    if isinstance(params, dict):
        yield sql, params
        return
    left = list(params or ())
    for statement in sql.split(SEPARATOR):
        mine = statement.count("%s")
        yield statement, left[:mine]
        left = left[mine:]


def uuids(values: Any) -> set[UUID]:
    """Every UUID among a statement's parameters, also nested ones."""
    if isinstance(values, UUID):
        return {values}
    if isinstance(values, str) and KEYS.fullmatch(values):
        return {UUID(hex=key) for key in re.findall("[0-9a-f]{32}", values)}
    if isinstance(values, str) and values.startswith("[{"):
        return set(map(UUID, KEY.findall(values)))
    if isinstance(values, list | tuple):
        return set().union(*map(uuids, values))
    return set()


def leading(rows: str) -> set[UUID]:
    """The keys with which the rows of kernel.bulk_writes begin."""
    return set(map(UUID, re.findall(r'\{"\w+":"([0-9a-f-]{36})"', rows)))
