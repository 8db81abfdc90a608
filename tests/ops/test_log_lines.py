"""Production's log lines about errors: where and why, without names, phone numbers or messages."""

import json
import logging
import smtplib
import sys
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
import redis
from celery.beat import Scheduler, SchedulingError
from celery.schedules import schedule
from django.db import IntegrityError, InternalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from structlog.testing import capture_logs

from accounts.models import User
from bnpl import unavailable
from bnpl.celery import app
from bnpl.logs import build_renderers
from kernel.problems import to_refusal
from kernel.refusal import Unavailable
from orders.models import Order
from tests.conftest import Shop, make_due_order, make_person, yuan

#: What somebody wrote; a traceback shows lines of code, and this is none of those that fail.
THEIRS = "欧阳的伞\n\nHINT: 他的"


def log_line(event: str = "went_wrong", **more: Any) -> dict[str, Any]:
    """The line as production writes it."""
    line: Any = {"event": event, "exc_info": sys.exc_info(), **more}
    for processor in build_renderers(readable=False):
        line = processor(None, "error", line)
    return dict(json.loads(line))


def test_a_rejected_rows_values_are_not_logged(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("5"))
    try:
        with transaction.atomic():
            Order.objects.filter(pk=order.pk).update(title=THEIRS, total_minor=-1)
    except IntegrityError as exc:
        line, meant, whole = log_line(f"Task raised unexpected: {exc!r}"), to_refusal(exc), str(exc)

    assert "欧阳" in whole
    assert "欧阳" not in json.dumps(line, ensure_ascii=False)
    assert "Failing row" not in json.dumps(line)
    assert "violates check constraint" in line["exception"]
    assert "tests/ops/test_log_lines.py" in line["exception"]
    assert meant.code == "busy"


def test_database_errors_are_logged_without_the_row(db: None) -> None:
    address = "ouyang@example.cn"  # whoever works for a merchant signs in by it
    User.objects.create_user(address, "x")
    with pytest.raises(IntegrityError) as broken, transaction.atomic():
        User.objects.create_user(address, "x")
    with capture_logs() as lines:
        to_refusal(broken.value)

    (line,) = lines
    assert line["event"] == "database_refused"
    assert "a_username_belongs_to_one_user" in line["detail"]
    assert "ouyang" not in str(line)


def test_recipients_are_not_logged() -> None:
    try:
        try:
            raise smtplib.SMTPRecipientsRefused({"ouyang@example.cn": (550, b"no ouyang@example.cn here")})
        except smtplib.SMTPException as refused:
            raise OSError("text to +8613812345678 refused") from refused
    except OSError:
        line = log_line("notice_not_sent", delivery="dlv_1", timestamp="2026-11-27T12:00:00.000000Z")

    assert "ouyang" not in json.dumps(line)
    assert "13812345678" not in json.dumps(line)
    assert "SMTPRecipientsRefused" in line["exception"]
    assert (line["delivery"], line["timestamp"]) == ("dlv_1", "2026-11-27T12:00:00.000000Z")


@pytest.mark.parametrize(
    "phone",
    ["13800138000", "8613800138000", "+8613800138000", "+86 138 0013 8000", "138-0013-8000", "+1 (415) 555-2671"],
)
def test_phone_numbers_are_not_logged_however_they_are_written(phone: str) -> None:
    text = "isv.MOBILE_NUMBER_ILLEGAL: {}, at 2026-11-27 23:29:47.123456 in dlv_13800138000a"
    line = log_line("notice_not_sent", exc_info=OSError(text.format(phone)))
    assert line["exception"] == f"OSError: {text.format('…')}"


def test_a_foreign_host_header_is_one_short_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    name = "django.security.DisallowedHost"
    with caplog.at_level(logging.INFO):
        assert client.get("/", headers={"host": "a-strangers-words.example"}).status_code == 400
    (line,) = [record for record in caplog.records if record.name == name]
    assert (line.levelname, line.getMessage(), line.exc_info) == ("WARNING", "Foreign Host header", None)
    assert "strangers" not in caplog.text


def test_a_read_only_database_is_unavailable_and_not_an_error(power_bank: Shop) -> None:
    with pytest.raises(InternalError) as broken, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on; UPDATE orders_order SET title = title")

    refusal = to_refusal(broken.value)
    assert (type(refusal), refusal.retry_after) == (Unavailable, 2)
    assert page_of(broken.value) == 503


def page_of(exc: Exception) -> int:
    page = unavailable.UnavailableMiddleware(lambda _request: HttpResponse()).process_exception(HttpRequest(), exc)
    return page.status_code if page else 500


def test_beat_without_broker_logs_one_short_line_a_trigger() -> None:
    beat = Scheduler(app, schedule={}, lazy=True)
    entry = beat.Entry(name="deduct", task="billing.tasks.deduct_due", schedule=schedule(timedelta(seconds=1)), app=app)
    lines, listens = list[logging.LogRecord](), logging.Handler()
    listens.emit = lines.append  # type: ignore[method-assign]
    broker_away, *_same = logging.getLogger("celery.beat").filters
    listens.addFilter(broker_away)
    logging.getLogger("celery.beat").addHandler(listens)
    try:
        with mock.patch.object(beat, "apply_async", side_effect=SchedulingError("connection refused")):
            beat.apply_entry(entry)
    finally:
        logging.getLogger("celery.beat").removeHandler(listens)

    (line,) = [line for line in lines if line.levelno >= logging.ERROR]
    assert (line.getMessage(), line.exc_info) == ("Message Error: connection refused", None)


@pytest.mark.parametrize("name", ["celery.worker.consumer.consumer", "kombu.asynchronous.hub", "kombu.transport.redis"])
def test_a_worker_with_a_full_broker_logs_no_stack_traces(name: str) -> None:
    full = redis.exceptions.OutOfMemoryError("command not allowed")
    given = (name, logging.ERROR, "", 1, "Error in timer: %r", (full,), (type(full), full, None))
    line = logging.LogRecord(*given)
    assert logging.getLogger(name).filter(line)
    assert (line.getMessage(), line.exc_info) == (f"Error in timer: {full!r} (OutOfMemoryError)", None)
    other = logging.LogRecord(*given[:4], "Error in timer", (), (ValueError, ValueError("x"), None))
    assert logging.getLogger(name).filter(other)
    assert other.exc_info
