"""Malformed amounts and unusual text: only one notation of amounts is accepted, and any text is stored as it is."""

import json
import os
import random
import re
import unicodedata

import pytest
from django.core.exceptions import ValidationError

from kernel.forms import PercentField, parse_minor
from kernel.money import EXPONENTS, Money
from orders.models import Order
from tests.api import assert_problem, order_body
from tests.hostile.response_checker import ResponseChecker
from tests.kills.running_stack import print_result
from tests.unchanged import assert_unchanged
from tests.wire.endpoints import World

#: `make evidence-hostile` splits a million times.
SPLITS = int(os.environ.get("HOSTILE_SPLITS", "20000"))
SEED = int(os.environ.get("HOSTILE_SEED", "20261125"))
WRONG = [
    *("0.001", "1e2", "1E+5", "٣.٥", "१२", "1_000", "1,000", "-0", "+7", "-5", "NaN", "nan", "Inf", "inf"),
    *("Infinity", "-Infinity", "1e400", "0x10", ".5", "5.", "1.2.3"),
]
WRONG += [
    "",
    " ",
    "¥¥1",
    "1元元",
    "$1",
    "1 000",
    "12.50\x00",
    "1\u200b2",
    "\u202e12",
    "9" * 11,
    "9" * 400,
    "十二",
    "½",
    "²",
    "①",
    "1.5\n2",
]
#: JSON tokens that are numbers but not valid amounts, and strings that look like amounts.
TOKENS = [
    "0.001",
    "1e2",
    "1E+5",
    "-0",
    "-0.0",
    "-5",
    "1.0",
    "1.1",
    "1e400",
    "-1e400",
    "9" * 400,
    str(2**63),
    "true",
    "null",
    "[1]",
]
#: What people type into a form, and programs may not send.
TYPED = ["１２.５０", "１２．５０", "¥12.50", "￥ 12.50", "12.50元", "¥12.50 元", "　12.50"]
TOKENS += [json.dumps(text) for text in [*WRONG, *TYPED, "100", "12.50"]]
UNREADABLE = ["NaN", "Infinity", "-Infinity", "+7", "01", "1_000", ".5", "5.", "0x10", "１２", "NULL", "1,5", "'1'"]
TEXTS = {
    "bidirectional": "\u202eexe.txt\u202c \u2066x\u2069",
    "zero width": "a\u200bb\u200cc\u200dd\ufeffe\u2060f",
    "composed": "é",
    "decomposed": "e\u0301",
    "compatible": "ｆｕｌｌ ﬁ ㎏ ①",
    "a hundred combining marks": "a" + "\u0301" * 99,
    "families": "👩‍👩‍👧‍👦🏳️‍🌈",
    "Arabic": "شاحن متنقل",
    "Hebrew": "כּוֹחַ",
    "beyond the first plane": "𠀀𪚥𝕏",
    "formula": "=cmd|'/C calc'!A0",
    "plus": "+1+1",
    "minus": "-2+3",
    "at": "@SUM(1)",
    "tab first": "\t=1",
    "line first": "\r=1",
    "script": "<script>alert(1)</script>",
    "entity": "&lt;b&gt; &amp;",
    "template": "{{7*7}} {% now %} ${x} %(a)s %s",
    "lines": "a\r\nSet-Cookie: x=1\n\u2028\u2029b",
    "control": "".join(chr(code) for code in range(1, 32)),
    "not characters": "\ufdd0\ufffe\uffff\U0010ffff",
    "private": "\ue000\U000f0000",
}


@pytest.mark.parametrize("text", WRONG)
def test_an_amount_in_a_form_is_digits_and_at_most_one_point(text: str) -> None:
    assert parse_minor(text, "CNY") is None


def test_an_amount_in_a_form_may_have_the_sign_of_its_currency() -> None:
    assert {parse_minor(text, "CNY") for text in TYPED} == {12_50}
    assert (parse_minor("¥12", "JPY"), parse_minor("¥12", "USD"), parse_minor("12元", "JPY")) == (12, None, None)
    assert PercentField().clean("１０") == 10_00
    with pytest.raises(ValidationError):
        PercentField().clean("¥10")


def test_an_amount_in_a_form_has_no_more_places_than_its_currency() -> None:
    assert (EXPONENTS["JPY"], EXPONENTS["KWD"]) == (0, 3)
    for currency, right, wrong in [("CNY", "1.25", "1.255"), ("JPY", "125", "125.0"), ("KWD", "1.255", "1.2555")]:
        assert parse_minor(right, currency) == int(right.replace(".", ""))
        assert parse_minor(wrong, currency) is None


def test_any_line_of_characters_is_an_amount_only_in_that_one_way() -> None:
    dice, right = random.Random(SEED), re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)  # noqa: S311  the same every time
    for _ in range(20_000):
        text = "".join(dice.choice("0123456789.05-+e_, １٣") for _ in range(dice.randrange(1, 8)))
        assert (parse_minor(text, "CNY") is not None) == bool(right.fullmatch(text.strip().replace("１", "1"))), text


def test_an_amount_in_the_api_is_a_whole_positive_number_and_nothing_else(world: World) -> None:
    checker = ResponseChecker()
    for field, path in [("ceiling", "orders"), ("total", f"orders/{world.open}/complete"), ("ceiling", "services")]:
        body = world.bodies()[path] | {field: "HERE"}
        with assert_unchanged():
            for token in [*TOKENS, *UNREADABLE]:
                if token == "null" and path != "services":
                    continue
                response = world.api.post(path, json.dumps(body).replace('"HERE"', token).encode())
                checker.check("POST", f"/v1/{path}", response, token)
                assert_problem(response, response.status_code)
                assert response.status_code in (400, 422), (path, field, token)


def test_parts_are_the_whole_however_it_is_split() -> None:
    dice = random.Random(SEED)  # noqa: S311  the same every time
    for _ in range(SPLITS):
        whole = Money(dice.choice([dice.randrange(100), dice.randrange(10**12)]))
        weights = [dice.choice([0, 1, 1, 3, dice.randrange(10**6)]) for _ in range(dice.randrange(1, 13))]
        weights[0] += not sum(weights)
        parts = whole.split(weights)
        assert sum(part.minor for part in parts) == whole.minor
        assert len(parts) == len(weights)
        assert all(part.minor >= 0 for part in parts)
    print_result(f"B3 {SPLITS} splits, every one of them whole")


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_any_text_is_taken_comes_back_as_it_was_and_is_nothing_but_a_text(world: World, kind: str) -> None:
    text, checker = TEXTS[kind], ResponseChecker()
    wish = order_body(world.agreement, title=text, attach=text, start_location=text[:60], metadata={"k": text})
    made = world.api.post("orders", wish)
    checker.check("POST", "/v1/orders", made, text)
    assert made.status_code == 201, made.content
    shown = world.api.get(f"orders/{made.json()['id']}").json()
    assert (shown["title"], shown["attach"], shown["metadata"]) == (text, text, {"k": text})
    kept = Order.objects.get(out_order_no=wish["out_order_no"]).title
    assert unicodedata.normalize("NFC", kept) == unicodedata.normalize("NFC", text)
    assert kept == text


def test_a_text_that_is_no_text_or_too_long_is_refused(world: World) -> None:
    checker = ResponseChecker()
    with assert_unchanged():
        for text in ['"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"', json.dumps("a" + "\u0301" * 10_000)]:
            raw = json.dumps(order_body(world.agreement, title="HERE")).replace('"HERE"', text).encode()
            response = world.api.post("orders", raw)
            checker.check("POST", "/v1/orders", response, text[:40])
            assert_problem(response, 422, "invalid_request")


def test_a_hundred_thousand_names_and_a_bomb_in_a_body_are_refused_soon(world: World) -> None:
    checker = ResponseChecker()
    with assert_unchanged():
        for raw in [
            b"{" + b",".join(b'"%d":1' % n for n in range(100_000)) + b"}",
            b"{" + b",".join(b'"%d":1' % n for n in range(6_000)) + b"}",
            b'{"a":' + b"[" * 30 + b"1" + b"]" * 30 + b"}",
            b'{"a":"' + b"\\u0061" * 10_000 + b'"}',
            b"\x1f\x8b\x08\x00" + b"\x00" * 1_000,
        ]:
            response = world.api.post("orders", raw)
            checker.check("POST", "/v1/orders", response, raw[:40])
            assert response.status_code in (400, 413, 422)
