"""Wrong keys, paths, methods, queries and headers: a documented problem response, and no effect."""

import json

import pytest

from kernel.request_log import API_VERSION
from tests.api import assert_problem, idempotency_header
from tests.unchanged import assert_unchanged
from tests.wire.endpoints import World

#: The key's own row may be written: a refusal is an answer that is kept.
KEPT = "kernel_idempotencykey"


def test_a_query_outside_the_contract_is_refused_by_every_list(world: World, subtests: pytest.Subtests) -> None:
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=１２",
        "limit=%20",
        "limit=",
        "limit=1&limit=2",
        "cursor=1&cursor=1",
        "cursor=",
        "cursor=x",
        "cursor=" + "0" * 31,
        "cursor=%7B" + "0" * 32 + "%7D",
        "cursor=urn:uuid:" + "0" * 32,
        "cursor=0x" + "0" * 30,
        "cursor=" + "0" * 15 + "_" + "0" * 16,
        "cursor=" + "A" * 32,
        "cursor=%00",
        "cursor=%ED%A0%80" + "0" * 29,
        "unknown=1",
        "%00=1",
        "state=closed_" * 9,
        "limit[]=1",
    ]:
        with subtests.test(query=query), assert_unchanged():
            for path in ("orders", "agreements", "services"):
                assert_problem(world.api.get(f"{path}?{query}"), 422, "invalid_request")


def test_without_a_good_key_nothing_is_said_and_nothing_moves(world: World, subtests: pytest.Subtests) -> None:
    for header in [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic c2s6",
        "Bearer  {secret}",
        " Bearer {secret}",
        "Bearer {secret} ",
        "Bearer {secret}\n",
        "Bearer {secret}, Bearer {secret}",
        "Bearer {secret} {secret}",
        "Bearer {secret}x",
        "Bearer sk_test_" + "A" * 43,
        "Bearer sk_test_" + "密" * 43,
        "Bearer sk_test_\xff\xfe",
        "Bearer \x00",
        "{secret}",
        "Token {secret}",
        "Bearer " + "A" * 8_192,
    ]:
        with subtests.test(header=header):
            sent = header.format(secret=world.api.secret) if header is not None else None
            with assert_unchanged():
                for path, body in world.bodies().items():
                    response = world.api.post(path, body, HTTP_AUTHORIZATION=sent)
                    assert_problem(response, 401, "unauthenticated")
                    assert response["WWW-Authenticate"].startswith("Bearer")


def test_an_id_that_is_none_is_a_missing_object_with_and_without_a_key(world: World, subtests: pytest.Subtests) -> None:
    for given in [{}, idempotency_header("k-1")]:
        for name in ["%00", "%00%00", "ord_%00", "x" * 5_000, "%ff", "..%2f..", "ord_", "密", "%0a", "*"]:
            with subtests.test(name=name, given=given), assert_unchanged(KEPT):
                for verb, body in (("complete", {}), ("cancel", {"reason": "x"}), ("collect", {})):
                    sent = dict.fromkeys(given, f"{verb} {name!a}"[:200])
                    assert_problem(world.api.post(f"orders/{name}/{verb}", body, **sent), 404)


def test_a_method_the_path_does_not_take_is_named_with_those_it_does(world: World, subtests: pytest.Subtests) -> None:
    for method in ["PUT", "OPTIONS", "TRACE", "DELETE", "PATCH", "PROPFIND"]:
        with subtests.test(method=method):
            with assert_unchanged():
                response = world.api.call(method, "orders", {})
            assert_problem(response, 405, "method_not_allowed")
            assert {name.strip() for name in response["Allow"].split(",")} == {"GET", "HEAD", "POST"}


def test_what_can_be_read_can_be_asked_about_without_its_body(world: World, subtests: pytest.Subtests) -> None:
    """HEAD is GET without what it says (RFC 9110): the same scope, the same status, and not counted as a write."""
    for path, status in (("orders", 200), (f"orders/{world.open}", 200), ("orders/x", 404), ("orders?x=1", 422)):
        with subtests.test(path=path), assert_unchanged("merchants_apikey"):
            response = world.api.call("HEAD", path, {})
            assert (response.status_code, response.content) == (status, b"")
            assert response["Content-Type"] == world.api.get(path)["Content-Type"]
    assert world.api.call("HEAD", f"orders/{world.open}/complete", {}).status_code == 405


def test_an_address_that_is_none_is_a_problem_for_every_method(world: World, subtests: pytest.Subtests) -> None:
    for path in ["nothing", "orders/", "orders/x/y/z", "", "%00", "../ops/", "openapi.yaml"]:
        for method in ["GET", "POST", "DELETE"]:
            with subtests.test(method=method, path=path):
                response = world.api.call(method, path, {})
                assert_problem(response, 404, "not_found")
                assert response["Bnpl-Version"] == API_VERSION


def test_a_foreign_host_is_refused_in_the_same_shape(world: World) -> None:
    assert_problem(world.api.get("orders", HTTP_HOST="evil.example"), 400)


def test_the_description_is_given_whatever_the_caller_would_rather_have(
    world: World, subtests: pytest.Subtests
) -> None:
    for accept in ["application/json", "*/*", "text/html", "x", "application/xml;q=0.1"]:
        with subtests.test(accept=accept):
            response = world.api.get("openapi.json", HTTP_ACCEPT=accept)
            assert response.status_code == 200
            assert json.loads(response.content)["openapi"].startswith("3.1")


def test_an_unknown_version_is_refused(world: World, subtests: pytest.Subtests) -> None:
    for version in ["2020-01-01", "", "2026-11-21 ", "x" * 5_000, "二"]:
        with subtests.test(version=version), assert_unchanged():
            assert_problem(
                world.api.post("orders", world.bodies()["orders"], HTTP_BNPL_VERSION=version),
                400,
                "unknown_version",
            )
