"""Errors name the invalid field by a JSON pointer, and say what would be valid."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from kernel.clock import live_now
from tests.api import assert_problem, order_body
from tests.unchanged import assert_unchanged
from tests.wire.endpoints import World

NOBODY = "0" * 32


def pointers(problem: dict[str, Any]) -> list[str]:
    assert all(error["detail"] for error in problem["errors"])
    return [error["pointer"] for error in problem["errors"]]


def test_a_refusal_of_what_stands_in_a_field_names_the_field(world: World, subtests: pytest.Subtests) -> None:
    order, done = order_body(world.agreement, ceiling=500), f"orders/{world.open}/complete"
    line = {"name": "每小时", "amount": 200}
    wrong = [
        ("agreements", {"service": world.service, "person_ref": "x", "phone": "12"}, "invalid_phone", "/phone"),
        ("orders", order | {"currency": "USD"}, "currency_mismatch", "/currency"),
        ("orders", order | {"ceiling": 10**12}, "above_ceiling", "/ceiling"),
        ("orders", order | {"amount": 5}, "wrong_amount_field", "/amount"),
        ("orders", order | {"discounts": [line]}, "total_invalid", "/items"),
        ("orders", order | {"items": [line], "discounts": [line, line]}, "total_invalid", "/discounts"),
        ("orders", order | {"items": [line] * 9, "discounts": [line]}, "above_ceiling", "/items"),
        (
            "orders",
            order | {"starts_at": "2026-11-20T08:00:00Z", "ends_at": "2026-11-20T07:00:00Z"},
            "times_invalid",
            "/ends_at",
        ),
        (done, {}, "total_invalid", "/total"),
        (done, {"items": [line], "total": 1}, "total_invalid", "/total"),
        (done, {"items": [line], "discounts": [line, line]}, "total_invalid", "/discounts"),
        (done, {"discounts": [line]}, "total_invalid", "/items"),
        (done, {"total": 10**12}, "above_ceiling", "/total"),
        (done, {"items": [line | {"amount": 10**12}]}, "above_ceiling", "/items"),
        (done, {"total": 1, "ends_at": "2099-01-01T00:00:00Z"}, "ends_in_future", "/ends_at"),
        (done, {"total": 1, "due_at": "2099-01-01T00:00:00Z"}, "times_invalid", "/due_at"),
        (f"orders/{world.completed}/modify", {"total": 700, "reason": "x"}, "total_raised", "/total"),
        (
            f"orders/{world.completed}/mark_paid",
            {"paid_at": "2099-01-01T00:00:00Z", "reference": "x"},
            "times_invalid",
            "/paid_at",
        ),
        (f"orders/{world.completed}/refunds", {"amount": 601, "reason": "x"}, "refund_too_much", "/amount"),
        (f"sandbox/orders/{world.completed}/pay", {"amount": 601}, "amount_invalid", "/amount"),
        (f"disputes/{world.dispute}/evidence", {"statement": " "}, "evidence_invalid", "/statement"),
        ("sandbox/clock/advance", {"by": "P401D"}, "clock_too_far", "/by"),
        ("sandbox/clock/advance", {"to": "2020-01-01T00:00:00Z"}, "clock_backwards", "/to"),
    ]
    for path, body, code, pointer in wrong:
        with subtests.test(path=path, code=code, pointer=pointer), assert_unchanged():
            assert pointers(assert_problem(world.api.post(path, body), 422, code)) == [pointer]
    back = world.api.call("PUT", "sandbox/clock", {"mode": "frozen", "now": "2020-01-01T00:00:00Z"})
    assert pointers(assert_problem(back, 422, "clock_backwards")) == ["/now"]


def test_whose_clock_is_ahead_is_told_what_time_it_is_here(world: World) -> None:
    for path, body, pointer in [
        (f"orders/{world.open}/complete", {"total": 1, "ends_at": "2099-01-01T00:00:00Z"}, "/ends_at"),
        (f"orders/{world.completed}/mark_paid", {"paid_at": "2099-01-01T00:00:00Z", "reference": "x"}, "/paid_at"),
    ]:
        [error] = assert_problem(world.api.post(path, body), 422)["errors"]
        here = re.fullmatch(r"it is (.*Z) here", error["detail"])
        assert here, error
        assert abs(datetime.fromisoformat(here[1]) - live_now()) < timedelta(minutes=5)
        assert error["pointer"] == pointer


def test_what_a_body_or_a_query_names_and_nobody_has_is_told_from_what_the_address_names(
    world: World, subtests: pytest.Subtests
) -> None:
    order = order_body(f"agr_{NOBODY}", ceiling=500)
    for path, body, pointer in [
        ("agreements", {"service": f"svc_{NOBODY}", "person_ref": "x"}, "/service"),
        ("eligibility", {"agreement": f"agr_{NOBODY}", "amount": 1}, "/agreement"),
        ("orders", order, "/agreement"),
        ("orders", order | {"agreement": world.open}, "/agreement"),
        (f"sandbox/agreements/{world.pending}/sign", {"person": f"per_{NOBODY}"}, "/person"),
        (f"events/{world.event}/redeliver", {"endpoint": f"whe_{NOBODY}"}, "/endpoint"),
    ]:
        with subtests.test(path=path, pointer=pointer), assert_unchanged():
            assert pointers(assert_problem(world.api.post(path, body), 404, "not_found")) == [pointer]
    for query, pointer in [
        ("orders?agreement=x", "?agreement"),
        ("disputes?order=x", "?order"),
        ("returns?order=x", "?order"),
    ]:
        with subtests.test(query=query):
            assert pointers(assert_problem(world.api.get(query), 404, "not_found")) == [pointer]
    assert pointers(assert_problem(world.api.get(f"orders/ord_{NOBODY}"), 404)) == []
    assert pointers(assert_problem(world.api.post(f"orders/ord_{NOBODY}/complete", {"total": 1}), 404)) == []


def test_a_number_or_a_text_that_is_never_taken_is_found_wherever_it_stands(
    world: World, subtests: pytest.Subtests
) -> None:
    for raw, pointer in [
        ('{"ceiling": 9.9}', "/ceiling"),
        ('{"name": "手表", "ceiling": 1e3, "mode": "fixed"}', "/ceiling"),
        ('{"items": [{"amount": 1}, {"amount": 2.50}]}', "/items/1/amount"),
        ('{"metadata": {"a/b~c": NaN}}', "/metadata/a~1b~0c"),
        ('{"ceiling": 99999999999999999999}', "/ceiling"),
        ('{"ceiling": %s}' % ("9" * 6_000), "/ceiling"),
        ('{"a": {"b": ["x", "\\u0000"]}}', "/a/b/1"),
        ('{"title": "\\ud83d"}', "/title"),
        ('{"a": {"\\u0000": 1}}', "/a"),
        ('{"电量🔋": 9.9}', "/电量🔋"),
        ('{"\\ud83d\\udd0b": 9.9}', "/🔋"),
        ('{"pa\\ud83dt": 1e300}', None),
        ('{"a": {"b/c": {"pa\\ud83dt": [{"x": 1.5}]}}}', "/a/b~1c"),
        ('{"fine": 1.5, "pa\\ud83dt": 1.5}', "/fine"),
    ]:
        with subtests.test(raw=raw[:60]), assert_unchanged():
            found = pointers(assert_problem(world.api.post("services", raw.encode()), 422, "invalid_request"))
            assert found == ([pointer] if pointer else [])
    twice = assert_problem(
        world.api.post("services", b'{"name": "x", "ceiling": 1, "ceiling": 2}'), 400, "malformed_request"
    )
    assert "'ceiling'" in twice["detail"]
    broken = assert_problem(world.api.post("services", b'{"ceiling": 9.9,'), 422, "invalid_request")
    assert pointers(broken) == []  # what comes after cannot be read


def test_of_many_names_the_one_that_is_wrong_is_told(world: World) -> None:
    fine = {f"k{n}": "x" for n in range(20)}
    for name, value in [("b/c", 1), ("b", None), ("b", "x" * 501), ("x" * 41, "x"), ("", "x")]:
        wish = order_body(world.agreement, ceiling=500) | {"metadata": {**fine, name: value}}
        pointer = f"/metadata/{name.replace('/', '~1')}"
        assert pointers(assert_problem(world.api.post("orders", wish), 422, "invalid_request")) == [pointer]
    many = order_body(world.agreement, ceiling=500) | {"metadata": {f"k{n}": "x" for n in range(51)}}
    assert pointers(assert_problem(world.api.post("orders", many), 422, "invalid_request")) == ["/metadata"]


def test_how_much_a_body_may_hold_is_told_whoever_escapes_chinese(world: World) -> None:
    wish = order_body(world.agreement, ceiling=500) | {"metadata": {f"k{n}": "值" * 500 for n in range(30)}}
    escaped, plain = json.dumps(wish), json.dumps(wish, ensure_ascii=False)
    assert "65,536" in assert_problem(world.api.post("orders", escaped.encode()), 413, "too_large")["detail"]
    assert world.api.post("orders", plain.encode()).status_code == 201


def test_a_value_that_is_none_of_a_few_is_refused_with_the_few(world: World) -> None:
    [error] = assert_problem(world.api.post("services", {"name": "x", "mode": "hourly", "ceiling": 1}), 422)["errors"]
    assert error == {"pointer": "/mode", "detail": "Invalid enum value 'hourly': not one of dynamic, fixed"}
    [error] = assert_problem(world.api.post("sandbox/people", {"name": "x", "behaviour": "rich"}), 422)["errors"]
    assert "hard_decline" in error["detail"]
    [error] = assert_problem(world.api.patch(f"services/{world.service}", {"state": "off"}), 422)["errors"]
    assert error["detail"].endswith("not one of active, paused")
    [error] = assert_problem(world.api.get("orders?state=OPEN"), 422)["errors"]
    assert (error["pointer"], error["detail"].partition(": ")[2][:28]) == ("?state", "not one of cancelled, comple")


def test_a_pattern_is_told_as_it_is_written(world: World) -> None:
    wish = order_body(world.agreement, ceiling=500) | {"out_order_no": "PB 1"}
    [error] = assert_problem(world.api.post("orders", wish), 422)["errors"]
    assert error["detail"] == r"Expected `str` matching regex '^[0-9A-Za-z_\-|*]{1,32}$'"


def test_a_plus_that_a_query_turned_into_a_space_is_told(world: World) -> None:
    [error] = assert_problem(world.api.get("events?after=2026-11-27T00:00:00+08:00"), 422)["errors"]
    assert (error["pointer"], "%2B" in error["detail"]) == ("?after", True)
    assert world.api.get("events?after=2026-11-27T00:00:00%2B08:00").status_code == 200


def test_an_order_that_was_marked_as_paid_is_not_said_to_be_collected(world: World) -> None:
    paid_at = live_now().isoformat()
    again = f"orders/{world.completed}/mark_paid"
    assert world.api.post(again, {"paid_at": paid_at, "reference": "till-17"}).status_code == 200
    problem = assert_problem(
        world.api.post(again, {"paid_at": paid_at, "reference": "till-18"}), 409, "already_collected"
    )
    assert "another reference" in problem["detail"]
    assert json.loads(world.api.get(f"orders/{world.completed}").content)["paid"] == 600


@pytest.mark.parametrize(
    ("name", "pointer"),
    {
        "shop.id": "/shop.id",
        "a/b": "/a~1b",
        "a~b": "/a~0b",
        "x[0]": "/x[0]",
        "x[...]": "/x[...]",
        "名`": "/名`",
    }.items(),
)
def test_an_unknown_name_is_one_step_of_the_pointer(world: World, name: str, pointer: str) -> None:
    problem = assert_problem(world.api.post("services", {"name": "a", "mode": "fixed", "ceiling": 1, name: 1}), 422)
    assert pointers(problem) == [pointer]
    order = order_body(world.agreement, items=[{"name": "a", "amount": 1, name: 1}])
    assert pointers(assert_problem(world.api.post("orders", order), 422)) == [f"/items/0{pointer}"]
