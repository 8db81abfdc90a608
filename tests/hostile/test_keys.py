"""Thousands of almost correct keys, signatures and headers; none is accepted."""

import base64
import json
import os
import random
from collections import Counter
from typing import Any

from django.test import Client

from billing.channels import bank
from billing.models import Callback
from kernel.ids import uuid7
from tests.api import PROBLEM, Api
from tests.conftest import Shop
from tests.kills.running_stack import print_result
from tests.unchanged import assert_unchanged
from tests.wire.endpoints import World

#: `make evidence-hostile` asks for twelve thousand of each.
CASES = int(os.environ.get("HOSTILE_KEYS", "300"))
SEED = int(os.environ.get("HOSTILE_SEED", "20261125"))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#: Characters that look like those of a key, or may be stripped on the way.
TWINS = [
    "А",
    "е",
    "ｓ",
    "ſ",
    "\u200b",
    "\u00ad",
    "\x00",
    "\t",
    "\n",
    "\r\n ",
    "%00",
    "+",
    "/",
    "=",
    " ",
    ",",
    ";",
    '"',
    "\ud800",
]


def near_keys(dice: random.Random, secret: str) -> str:
    """An Authorization header that is almost correct; "" if it happens to be correct."""
    place = dice.randrange(len(secret))
    other = dice.choice([letter for letter in ALPHABET if letter != secret[place]])
    bit = chr(ord(secret[place]) ^ 1 << dice.randrange(7))
    kinds = [
        lambda: f"Bearer {secret[:place]}{other}{secret[place + 1 :]}",
        lambda: f"Bearer {secret[:place]}{bit}{secret[place + 1 :]}",
        lambda: f"Bearer {secret[:place]}",
        lambda: f"Bearer {secret[:place]}{secret[place + 1 :]}",
        lambda: f"Bearer {secret[:place]}{dice.choice(TWINS)}{secret[place:]}",
        lambda: f"Bearer {secret}{dice.choice(TWINS)}",
        lambda: f"Bearer{dice.choice(TWINS)}{secret}" if place % 9 else f"Bearer  {secret}",
        lambda: f"{dice.choice(['Bear', 'BEARERS', 'Basic', 'Token', 'Bearer:', 'Digest', '', 'Beаrer'])} {secret}",
        lambda: f"Bearer {secret}, Bearer {secret}",
        lambda: f"Bearer {dice.choice([secret.lower(), secret.upper(), secret[::-1], secret.swapcase()])}",
        lambda: (
            f"Bearer {secret.replace('sk_test_', dice.choice(['sk_live_', 'pk_test_', 'sk_tesт_', 'SK_TEST_', '']))}"
        ),
        lambda: "Basic " + base64.b64encode(dice.choice([f"{secret}:", f":{secret}", secret]).encode()).decode(),
        lambda: "Bearer " + base64.urlsafe_b64encode(secret.encode()).decode(),
        lambda: "Bearer " + "A" * dice.choice([42, 43, 44, 8_192]),
        lambda: (
            "Bearer eyJhbGciOiJub25lIn0."
            + base64.urlsafe_b64encode(json.dumps({"sub": secret}).encode()).decode()
            + "."
        ),
        lambda: "".join(chr(dice.randrange(1, 256)) for _ in range(dice.randrange(80))),
    ]
    made = str(dice.choice(kinds)())
    return made if made != f"Bearer {secret}" else ""


def test_a_key_that_is_almost_right_is_a_wrong_key(world: World) -> None:
    dice, seen = random.Random(SEED), Counter[int]()  # noqa: S311  the same dice every time
    doors = [
        ("GET", "orders"),
        ("GET", f"orders/{world.open}"),
        ("POST", f"orders/{world.open}/cancel"),
        ("POST", "services"),
    ]
    with assert_unchanged():
        for turn in range(CASES):
            header = near_keys(dice, world.api.secret)
            method, path = dice.choice(doors)
            response = Api(secret="").call(method, path, {"reason": "x"}, HTTP_AUTHORIZATION=header)
            seen[response.status_code] += 1
            assert response.status_code == 401, (SEED, turn, header)
            assert response["Content-Type"] == PROBLEM
            assert world.api.secret not in response.content.decode()
    assert world.api.get("orders").status_code == 200
    print_result(f"B2 keys almost right: {sum(seen.values())}, {dict(seen)}, 0 accepted")


WRONG_HEADERS: list[dict[str, str]] = [
    {"HTTP_X_API_KEY": "{secret}"},
    {"HTTP_API_KEY": "{secret}"},
    {"HTTP_COOKIE": "Authorization=Bearer {secret}; session={secret}"},
    {"HTTP_PROXY_AUTHORIZATION": "Bearer {secret}"},
    {"HTTP_X_AUTHORIZATION": "Bearer {secret}"},
    {"HTTP_X_ORIGINAL_AUTHORIZATION": "Bearer {secret}"},
    {"HTTP_X_HTTP_METHOD_OVERRIDE": "GET"},
    {"HTTP_X_FORWARDED_USER": "admin", "HTTP_REMOTE_USER": "admin"},
    {"HTTP_X_FORWARDED_FOR": "127.0.0.1", "HTTP_X_REAL_IP": "127.0.0.1"},
    {"HTTP_X_FORWARDED_HOST": "testserver", "HTTP_X_FORWARDED_PROTO": "https"},
    {"HTTP_X_ORIGINAL_URL": "/v1/openapi.json", "HTTP_X_REWRITE_URL": "/v1/openapi.json"},
]


def test_a_good_key_in_the_wrong_place_opens_nothing(world: World) -> None:
    secret = world.api.secret
    with assert_unchanged():
        for headers in WRONG_HEADERS:
            sent = {name: value.format(secret=secret) for name, value in headers.items()}
            assert Api(secret="").call("GET", "orders", HTTP_AUTHORIZATION=None, **sent).status_code == 401, headers
        for query in (
            f"key={secret}",
            f"api_key={secret}",
            f"access_token={secret}",
            f"Authorization=Bearer%20{secret}",
        ):
            assert Api(secret="").call("GET", f"orders?{query}", HTTP_AUTHORIZATION=None).status_code == 401, query
        body = {"key": secret, "authorization": f"Bearer {secret}"}
        assert Api(secret="").call("POST", "services", body, HTTP_AUTHORIZATION=None).status_code == 401


def near_signatures(dice: random.Random, raw: bytes) -> tuple[bytes, Any]:
    """A callback whose signature does not match: body or signature changed or encoded differently."""
    good, place = bank.sign(raw), dice.randrange(len(raw))
    spot = dice.randrange(len(good))
    flipped = raw[:place] + bytes([raw[place] ^ 1 << dice.randrange(8)]) + raw[place + 1 :]
    bit = chr(ord(good[spot]) ^ 1 << dice.randrange(7))
    return dice.choice(
        [
            (flipped, good),
            (raw + dice.choice([b" ", b"\n", b"\x00", b"{}"]), good),
            (raw[:place] + raw[place + 1 :], good),
            (raw, good[:spot] + bit + good[spot + 1 :]),
            (raw, good[:spot]),
            (raw, good + dice.choice(["0", " x", ",", "=", "\u00e9"])),
            (raw, f"{good},{good}"),
            (raw, good.swapcase()),
            (raw, good[::-1]),
            (raw, base64.b64encode(good.encode()).decode()),
            (raw, bank.sign(flipped)),
            (raw, bank.sign(b"")),
            (raw, "0" * len(good)),
            (raw, "A" * 8_192),
            (raw, "".join(chr(dice.randrange(1, 256)) for _ in range(dice.randrange(90)))),
            (raw, None),
        ]
    )


def test_a_callback_whose_signature_does_not_fit_moves_nothing(world: World, power_bank: Shop) -> None:
    dice, client = random.Random(SEED), Client()  # noqa: S311  the same dice every time
    raw = json.dumps(
        {"notify_id": uuid7().hex, "number": uuid7().hex, "txn": "t-1", "amount": 600, "currency": "CNY"}
    ).encode()
    every_bit = [
        (raw[: n // 8] + bytes([raw[n // 8] ^ 1 << n % 8]) + raw[n // 8 + 1 :], bank.sign(raw))
        for n in range(len(raw) * 8)
    ]
    every_bit = every_bit[:: max(1_500 // CASES, 1)]
    tries = [*every_bit, *(near_signatures(dice, raw) for _ in range(CASES))]
    seen, told = Counter[int](), Callback.objects.count()
    with assert_unchanged():
        for body, signature in tries:
            headers = {} if signature is None else {"HTTP_X_SIGNATURE": signature}
            response = client.generic("POST", "/channels/sandbox/callback", body, "application/json", **headers)
            seen[response.status_code] += 1
            assert response.status_code == 401, (body, signature, response.content)
    assert Callback.objects.count() == told
    good = client.generic(
        "POST", "/channels/sandbox/callback", raw, "application/json", HTTP_X_SIGNATURE=bank.sign(raw)
    )
    assert good.status_code == 404, "well signed, about a debit we never made"
    print_result(
        f"B2 signatures almost right: {sum(seen.values())}, {dict(seen)}, 0 accepted; {len(every_bit)} single bits"
    )
