"""Thousands of slightly damaged requests: never a 5xx, never an undocumented response."""

import json
import os
import random
from typing import Any

from tests.conftest import make_shop
from tests.hostile.response_checker import ResponseChecker
from tests.kills.running_stack import print_result
from tests.wire.endpoints import world_of

SEED = int(os.environ.get("HOSTILE_SEED", "20261121"))
#: `make evidence-hostile` asks for fifty thousand.
CASES = int(os.environ.get("HOSTILE_MUTATED", "500"))
#: Orders close and services change under the blows: now and then there are new ones.
FRESH_EVERY = 2_500
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63),
    10**13,
    0.1,
    1e300,
    "",
    " ",
    "0",
    "NaN",
    "\x00",
    "\ud800",
    "１２.５０",
    "x" * 300,
    "ord_" + "0" * 32,
    "agr_" + "f" * 32,
    "2026-13-45T99:99:99Z",
    "9999-12-31T23:59:59-23:59",
    "' OR ''='",
    "../../x",
    "\u202e",
    "🔋" * 33,
    [],
    [[]],
    {},
    {"": {}},
    [None, 1, "x"],
    {"name": "x", "amount": 1},
    [{"name": "x", "amount": 1}] * 3,
)
WORDS = (
    b"\xef\xbb\xbf",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\\",
    b"\\u0000",
    b"\\ud83d",
    b"\x00",
    b"\xff",
    b"1e9",
    b"-",
    b"\xef\xbb\xbf",
)


def damage_value(dice: random.Random, value: Any) -> Any:
    """The same value with one thing in it changed, somewhere."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        name = dice.choice(sorted(value))
        kind = dice.randrange(5)
        if kind == 0:
            return {other: entry for other, entry in value.items() if other != name}
        if kind == 1:
            return value | {dice.choice(["", "id", "state", "__proto__", name.upper(), "\x00"]): dice.choice(ODD)}
        return value | {name: damage_value(dice, value[name]) if kind == 2 else dice.choice(ODD)}
    if isinstance(value, list) and value and dice.random() < 0.8:
        place = dice.randrange(len(value))
        return [*value[:place], damage_value(dice, value[place]), *value[place + 1 :]]
    return dice.choice(ODD)


def damage_bytes(dice: random.Random, raw: bytes) -> bytes:
    """The same bytes with a few cut out, doubled, flipped or put in."""
    for _ in range(dice.randrange(3)):
        place, length = dice.randrange(len(raw) + 1), dice.randrange(8)
        before, piece, after = raw[:place], raw[place : place + length], raw[place + length :]
        middle = dice.choice([b"", piece * 2, bytes(b ^ 1 << dice.randrange(8) for b in piece), dice.choice(WORDS)])
        raw = before + middle + after
    return raw


def test_damaged_requests_are_taken_or_refused_but_never_break_us(db: None) -> None:
    dice, checker = random.Random(SEED), ResponseChecker()  # noqa: S311  the same dice every time
    for turn in range(CASES):
        if turn % FRESH_EVERY == 0:
            world = world_of(make_shop(f"店 {turn}"))
            bodies = sorted(world.bodies().items())
        path, body = dice.choice(bodies)
        raw = json.dumps(damage_value(dice, body), ensure_ascii=dice.random() < 0.7).encode("utf-8", "surrogatepass")
        raw = damage_bytes(dice, raw)
        headers = {"HTTP_IDEMPOTENCY_KEY": dice.choice(["k", f"k{turn}", "é", ""])} if dice.random() < 0.2 else {}
        response = world.api.post(path, raw, **headers)
        checker.check("POST", f"/v1/{path}", response, (SEED, turn, raw, headers))
    print_result(f"B1 mutated: {checker.summary()}")
    # The dice reached both sides of the contract.
    assert {200, 201, 400, 422} <= set(checker.seen), checker.seen
    assert checker.seen[422] > CASES / 10
