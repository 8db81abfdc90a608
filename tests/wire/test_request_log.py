"""The log line of each request: complete enough to find it, without caller's input."""

import io
import json
import logging
from typing import Any

import pytest
import structlog
from celery import current_task
from structlog.testing import capture_logs

from bnpl.celery import app
from bnpl.logs import configure_logging
from kernel import log_context
from merchants.models import ApiKey
from tests.api import Api, assert_problem, idempotency_header, order_body
from tests.conftest import Shop

GIVEN = "till-7_2026.11.25"


def lines_of(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"] == "request"]


def test_a_callers_own_name_for_a_request_is_kept_when_it_is_a_word(power_bank: Shop) -> None:
    api = Api(power_bank)
    assert api.get("orders", HTTP_REQUEST_ID=GIVEN)["Request-Id"] == GIVEN
    gone = api.get("orders/ord_none", HTTP_REQUEST_ID=GIVEN)
    assert (gone.json()["request_id"], gone["Request-Id"]) == (GIVEN, GIVEN)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "short",
        "x" * 41,
        "a b c d e f",
        "req\r\nX: 1 2 3",
        "名字名字名字名字",
        "-leading-dash",
        "\x00" * 9,
        "a" * 20 + "\n",
    ],
)
def test_any_other_name_is_replaced_by_ours(power_bank: Shop, name: str) -> None:
    assert_problem(Api(power_bank).get("orders/ord_none", HTTP_REQUEST_ID=name), 404)


def test_one_line_says_who_asked_for_what_and_what_came_of_it(power_bank: Shop) -> None:
    api = Api(power_bank)
    wish = order_body(api.agreement(power_bank.service.public_id))
    with capture_logs(processors=[log_context.merge_tags]) as logs:
        made = api.post("orders", wish, **idempotency_header("k"))
        gone = api.get("orders/ord_none")
    (first, second) = lines_of(logs)
    assert first.pop("ms") > 0
    assert first == {
        "event": "request",
        "log_level": "info",
        "request_id": made["Request-Id"],
        "method": "POST",
        "route": "v1/orders",
        "status": 201,
        "merchant": power_bank.merchant.public_id,
        "key": ApiKey.objects.get().public_id,
    }
    assert (second["route"], second["status"]) == ("v1/orders/<str:order>", 404)
    assert second["request_id"] == gone["Request-Id"]


def test_without_a_key_there_is_a_line_that_names_nobody(power_bank: Shop) -> None:
    with capture_logs() as logs:
        Api(secret="x").get("orders")
        Api(secret="x").get("no/such/address")
    assert [(line["status"], "merchant" in line) for line in lines_of(logs)] == [(401, False), (404, False)]


CANARIES = ("艾达", "13800138000", "11010519491231002X", "sk_test_", "canary-of-the-body", "canary-of-the-query")


def test_nothing_a_caller_wrote_gets_into_a_line_and_no_line_becomes_two(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The lines as production writes them, whatever stands in path, method, query, headers and body."""
    written = io.StringIO()
    told = configure_logging(readable=False, level="DEBUG")["formatters"]["line"]
    handler = logging.StreamHandler(written)
    handler.setFormatter(told.pop("()")(**told))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    caplog.set_level(logging.DEBUG)
    api = Api(power_bank)
    evil = f'{CANARIES[4]}\r\n{{"event":"forged"}}\n\x1b[31m\u2028'
    api.post("sandbox/people", {"name": CANARIES[0], "behaviour": "pays"})
    api.post("orders", {"title": evil, "x": CANARIES[1], "y": CANARIES[2]}, **idempotency_header(CANARIES[4]))
    api.get(f"orders?out_order_no={CANARIES[5]}&x=%0d%0aforged", HTTP_REQUEST_ID=evil, HTTP_USER_AGENT=evil)
    api.call("G\r\nET", "orders%0d%0a/canary-of-the-query", HTTP_AUTHORIZATION=f"Bearer {evil}", HTTP_REFERER=evil)
    api.get("orders", HTTP_X_FORWARDED_FOR=evil, HTTP_IDEMPOTENCY_KEY=evil, HTTP_BNPL_VERSION=evil)

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert len([line for line in lines if line["event"] == "request"]) == 5
    text = written.getvalue()
    for canary in (*CANARIES, "forged", api.secret):
        assert canary not in text, [line for line in text.splitlines() if canary in line]


def test_a_tasks_lines_carry_its_name_and_the_id_of_this_run() -> None:
    @app.task(name="tests.wire.lines", typing=False)
    def work() -> str:
        structlog.get_logger("x").info("at_work")
        return str(current_task.request.id)

    try:
        with capture_logs(processors=[log_context.merge_tags]) as logs:
            run = work.apply().get()
            structlog.get_logger("x").info("afterwards")
    finally:
        app.tasks.pop("tests.wire.lines")
    assert [(line["event"], line.get("task"), line.get("task_id")) for line in logs] == [
        ("at_work", "tests.wire.lines", run),
        ("afterwards", None, None),
    ]
