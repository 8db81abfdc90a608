"""Malformed bodies: a documented problem response, and no effect."""

import json
from typing import Any

import pytest

from orders.models import Order
from tests.api import assert_problem, idempotency_header, order_body
from tests.unchanged import assert_unchanged
from tests.wire.endpoints import World

MONEYS = ["1.0", "1e2", "12.50", "0.1", "-0.0", '"100"', '"１２.５０"', '"１２"', "true", "false", "[]", "{}", "[1]"]
MONEYS += ["-1", "0", str(2**63), str(2**63 - 1), str(-(2**63)), str(-(2**63) - 1), str(10**12 + 1), "9" * 400]
TEXTS = ["<script>alert(1)</script>"]
TEXTS += [
    "🔋充电宝 👩\u200d👧",
    "شاحن متنقل",
    "כוח",
    "\u202etxt.exe\u202c",
    "e\u0301 é",
    "' OR 1=1; --",
    "<script>alert(1)</script>",
]
TEXTS += ["{{7*7}} ${x} %s %(a)s", "\u200b", "=cmd|'/C calc'!A0", "\ufdd0\uffff", "𠀀𪚥", "a\r\nSet-Cookie: x=1"]
KINDS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "", "x"]
DEEP = b"[" * 100_000 + b"]" * 100_000

#: Bodies, and how each is refused.
NO_JSON_OF_OURS = [
    (DEEP, 413, "too_large"),
    (b"[" * 3_000 + b"]" * 3_000, 400, "malformed_request"),
    (b'{"a":' * 3_000 + b"1" + b"}" * 3_000, 400, "malformed_request"),
    (b'{"a":"' + b"x" * 10_000_000 + b'"}', 413, "too_large"),
    (b"x" * 65_537, 413, "too_large"),
    (b"[]", 400, "malformed_request"),
    (b"[{}]", 400, "malformed_request"),
    (b"null", 400, "malformed_request"),
    (b'"{}"', 400, "malformed_request"),
    (b"1", 400, "malformed_request"),
    (b"{", 400, "malformed_request"),
    (b"{}{}", 400, "malformed_request"),
    (b"{'a':1}", 400, "malformed_request"),
    (b'{"a":1,}', 400, "malformed_request"),
    (b'{"a":NaN}', 422, "invalid_request"),
    (b'{"a":Infinity}', 422, "invalid_request"),
    (b'{"a":1e400}', 422, "invalid_request"),
    (b"\xff\xfe{\x00}\x00", 400, "malformed_request"),
    (b"\xef\xbb\xbf{}", 400, "malformed_request"),
    (b'{"reason":"\xff"}', 400, "malformed_request"),
    (b'{"reason":"\xed\xa0\x80"}', 400, "malformed_request"),
    (b'{"reason":"\x00"}', 400, "malformed_request"),
    (b'{"reason":"a\\u0000b"}', 422, "invalid_request"),
    (b'{"\\u0000":1}', 422, "invalid_request"),
    (b'{"reason":"\\ud800"}', 422, "invalid_request"),
    (b'{"reason":"\\udc00\\ud800"}', 422, "invalid_request"),
    (b'{"\\ud83d":1}', 422, "invalid_request"),
    (b'{"pa\\ud83dt":1e300}', 422, "invalid_request"),
    (b'{"a":1,"a":1}', 400, "malformed_request"),
    (b'{"a":{"b":1,"b":2}}', 400, "malformed_request"),
    (b'{"nobody_knows_this":1}', 422, "invalid_request"),
    (b'{"a":' + b"9" * 5_000 + b"}", 422, "invalid_request"),
    (b"a=1&b=2", 400, "malformed_request"),
    (b"<x/>", 400, "malformed_request"),
    (b"\x00", 400, "malformed_request"),
]


def order_with(**fields: str) -> bytes:
    """An order's body, its fields as raw JSON: what a JSON library would not let one write."""
    plain = {"agreement": '"agr_AGREEMENT"', "out_order_no": '"N-1"', "title": '"x"'} | fields
    return ("{" + ",".join(f'"{name}":{value}' for name, value in plain.items()) + "}").encode()


def test_every_valid_body_is_taken_or_refused_by_the_state_of_things_not_by_its_shape(world: World) -> None:
    for path, body in world.bodies().items():
        response = world.api.post(path, body)
        assert response.status_code in (200, 201, 409), (path, response.content)


def test_a_body_that_is_no_json_of_ours_is_refused_wherever_it_is_posted(
    world: World, subtests: pytest.Subtests
) -> None:
    paths = list(world.bodies())
    for place, (body, status, code) in enumerate(NO_JSON_OF_OURS):  # each place is given a third of them
        with subtests.test(body=body, status=status, code=code), assert_unchanged():
            for path in paths[place % 3 :: 3]:
                assert_problem(world.api.post(path, body), status, code)
            assert_problem(world.api.patch(f"services/{world.service}", body), status, code)


def test_a_body_that_does_not_call_itself_json_is_refused(world: World, subtests: pytest.Subtests) -> None:
    for kind in KINDS:
        with subtests.test(kind=kind), assert_unchanged():
            for path, body in world.bodies().items():
                sent = world.api.post(path, json.dumps(body).encode(), content_type=kind)
                assert_problem(sent, 415, "unsupported_media_type")


def test_a_corrected_content_type_may_be_sent_under_the_same_key(world: World) -> None:
    body = json.dumps(world.bodies()["orders"]).encode()
    key = idempotency_header("one")
    assert_problem(world.api.post("orders", body, content_type="text/plain", **key), 415, "unsupported_media_type")
    assert world.api.post("orders", body, content_type="application/json", **key).status_code == 201


def test_json_may_be_written_in_any_case_and_with_parameters(world: World, subtests: pytest.Subtests) -> None:
    for kind in ["Application/JSON", "application/json; charset=utf-8", "application/json;charset=x"]:
        with subtests.test(kind=kind):
            response = world.api.post("eligibility", world.bodies()["eligibility"], content_type=kind)
            assert response.status_code == 200


def test_an_empty_body_lacks_what_is_needed(world: World, subtests: pytest.Subtests) -> None:
    for path in ["orders", "agreements", "services", "eligibility", "sandbox/people"]:
        with subtests.test(path=path), assert_unchanged():
            assert_problem(world.api.post(path, b""), 422, "invalid_request")
            assert_problem(world.api.post(path, b"{}"), 422, "invalid_request")


def test_money_is_whole_positive_minor_units_and_nothing_else(world: World, subtests: pytest.Subtests) -> None:
    for money in MONEYS:
        with subtests.test(money=money):
            body = order_with(agreement=f'"{world.agreement}"', ceiling=money)
            with assert_unchanged():
                assert_problem(world.api.post("orders", body), 422, "invalid_request")


def test_a_total_that_is_not_whole_minor_units_completes_nothing(world: World, subtests: pytest.Subtests) -> None:
    for total in ["1.0", "1e2", "12.50", '"6"', "true", "-1", str(2**63), "null,null", "NaN"]:
        with subtests.test(total=total):
            status = 400 if "," in total else 422
            with assert_unchanged():
                assert_problem(world.api.post(f"orders/{world.open}/complete", f'{{"total":{total}}}'.encode()), status)


def test_a_field_outside_the_contract_is_named_and_refused(world: World, subtests: pytest.Subtests) -> None:
    for field, value in [
        ("title", '""'),
        ("title", '"' + "长" * 101 + '"'),
        ("title", '"' + "x" * 10_000 + '"'),
        ("title", "7"),
        ("title", "null"),
        ("out_order_no", '""'),
        ("out_order_no", '"a b"'),
        ("out_order_no", '"N-1\\n"'),
        ("out_order_no", '"N-１"'),
        ("out_order_no", '"' + "N" * 33 + '"'),
        ("out_order_no", '"单号"'),
        ("out_order_no", "1"),
        ("currency", '"cny"'),
        ("currency", '"CNY\\n"'),
        ("currency", '"CN"'),
        ("currency", '"ＣＮＹ"'),
        ("items", '[{"name":"a","amount":1.5}]'),
        ("items", '[{"name":"a","amount":true}]'),
        ("items", '[{"name":"a","amount":1,"price":2}]'),
        ("items", "[" + ",".join(['{"name":"a","amount":1}'] * 101) + "]"),
        ("metadata", '{"a":1}'),
        ("metadata", '{"":"a"}'),
        ("metadata", '{"a":{"b":"c"}}'),
        ("metadata", "[]"),
        ("attach", '"' + "x" * 257 + '"'),
        ("starts_at", '"2026-11-21T08:00:00"'),
        ("starts_at", '"2026-11-21"'),
        ("starts_at", '"2026-02-30T08:00:00Z"'),
        ("starts_at", '"2026-11-21T24:00:00Z"'),
        ("starts_at", '"2026-11-21T08:00:61Z"'),
        ("starts_at", '"yesterday"'),
        ("starts_at", '"２０２６-11-21T08:00:00Z"'),
        ("starts_at", "1795248000"),
        ("starts_at", "true"),
        # Real moments, and yet outside the years a calendar here can show: stored, they could never be read again.
        ("starts_at", '"9999-12-31T23:59:59-23:59"'),
        ("starts_at", '"0001-01-01T00:00:00+23:59"'),
        ("ends_at", '"9999-12-31T23:59:59-01:00"'),
    ]:
        with subtests.test(field=field, value=value):
            body = order_with(**{"agreement": f'"{world.agreement}"', field: value})
            with assert_unchanged():
                problem = assert_problem(world.api.post("orders", body), 422)
            if problem["code"] == "invalid_request" and problem["errors"]:
                assert problem["errors"][0]["pointer"].startswith(f"/{field}")


def test_a_completion_at_an_impossible_moment_is_refused(world: World, subtests: pytest.Subtests) -> None:
    for moment in ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-21T08:00:00"]:
        for field in ["ends_at", "due_at"]:
            with subtests.test(field=field, moment=moment), assert_unchanged():
                assert_problem(world.api.post(f"orders/{world.open}/complete", {"total": 1, field: moment}), 422)


def test_any_real_text_is_taken_and_comes_back_as_it_was(world: World, subtests: pytest.Subtests) -> None:
    for text in TEXTS:
        with subtests.test(text=text):
            wish = order_body(world.agreement, title=text, attach=text, start_location=text, metadata={text[:40]: text})
            made = world.api.post("orders", wish)

            assert made.status_code == 201, made.content
            got = world.api.get(f"orders/{made.json()['id']}").json()
            shown = (got["title"], got["attach"], got["start_location"], got["metadata"])
            assert shown == (text, text, text, {text[:40]: text})
            assert Order.objects.get(out_order_no=wish["out_order_no"]).title == text


def test_a_string_that_never_ends_is_refused_as_quickly_as_it_came(world: World) -> None:
    body = b'{"a":"' + b'\\"' * 32_000
    with assert_unchanged():  # the role's statement timeout would not help: it is our own processor that would burn
        assert_problem(world.api.post("orders", body), 400, "malformed_request")


def test_a_duration_is_weeks_days_and_times_in_ascii(world: World, subtests: pytest.Subtests) -> None:
    for duration in ["P３D", "P", "PT", "3D", "P-3D", "P1Y", "P1.5D", "P3D\n", "P99999D"]:
        with subtests.test(duration=duration):
            body: dict[str, Any] = {"name": "小博", "behaviour": "no_funds_until", "duration": duration}
            with assert_unchanged():
                assert_problem(world.api.post("sandbox/people", body), 422, "invalid_request")
