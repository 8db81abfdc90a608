"""Production refuses to start with insecure or missing settings, and names the variable."""

import ast
import base64
import os
import runpy
import ssl
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import structlog
from celery.fixups.django import DjangoWorkerFixup
from django.core.exceptions import ImproperlyConfigured
from kombu import Connection

from bnpl.celery import EXPIRES_MIN_SECONDS, MONEY_QUEUE, QUEUES, SCHEDULE, app
from bnpl.env import PLACEHOLDER_KEY, Environment, celery_broker_url
from bnpl.scheduled_tasks import ScheduledTask
from bnpl.stack.config import CLERK, COURIER, WORKER
from kernel.sweeps import TIME_BUDGET_SECONDS
from tests.architecture import OWN_APPS

SETTINGS = Path(__file__).resolve().parent.parent.parent / "bnpl" / "settings.py"
KEY = base64.b64encode(bytes(range(32))).decode()
SOUND = {
    "SECRET_KEY": "z8K-" * 20,
    "BASE_URL": "https://pay.example.com",
    "DATABASE_URL": "postgresql://bnpl_app:word@pgbouncer:5432/bnpl",
    "REDIS_URL": "redis://valkey:6379/0",
    "PII_KEYS": f"k1:{KEY}",
    "BLIND_INDEX_KEY": KEY,
    "SMS_BACKEND": "shop.texts.Sender",
    "PROOF_KEYS": f"p1:{base64.b64encode(bytes(range(1, 33))).decode()}",
}


class Remembering(dict[str, str]):
    """An environment that records which variables were read."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def load(values: dict[str, str]) -> dict[str, Any]:
    """The settings of a process with these variables. This process's logging stays unchanged."""
    with mock.patch.object(os, "environ", values), mock.patch.object(structlog, "configure"):
        return runpy.run_path(str(SETTINGS))


def names_read() -> set[str]:
    """Every variable that the settings read in production."""
    values = Remembering(SOUND)
    load(values)
    return values.asked


def test_production_starts_with_every_variable_in_place_and_is_the_posture_of_silence() -> None:
    settings = load(SOUND)
    assert settings["PRODUCTION"]
    assert not settings["DEBUG"]
    assert settings["ALLOWED_HOSTS"] == ["pay.example.com"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in SOUND),
        *((name, "") for name in SOUND),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "django-insecure-" + "z8K-" * 20),
        ("DEBUG", "1"),
        ("DEBUG", "maybe"),
        ("BASE_URL", "http://pay.example.com"),
        ("BASE_URL", "https://pay.example.com/shop"),
        ("DATABASE_URL", "mysql://db/bnpl"),
        ("DATABASE_URL", "postgresql://bnpl_app:pass/word@pgbouncer:5432/bnpl"),
        ("DATABASE_URL", "postgresql://bnpl_app:pass#word@pgbouncer:5432/bnpl"),
        ("DATABASE_URL", "postgresql://bnpl_app:word@pgbouncer:5432"),
        ("REDIS_URL", "valkey:6379"),
        ("REDIS_URL", "http://valkey:6379/0"),
        ("REDIS_URL", "redis://:pass/word@valkey:6379/0"),
        ("REDIS_URL", "redis://valkey:6379/broker"),
        ("REDIS_URL", "redis://valkey:6379/?db=3"),
        ("CACHE_URL", "rediss://valkey:6379/1?db=0"),
        ("CACHE_URL", "valkey"),
        ("CONSOLE_ZONE", "Asia/Nowhere"),
        ("CONSOLE_ZONE", "/etc/passwd"),
        ("LOG_LEVEL", "LOUD"),
        ("PII_KEYS", f"k1:{PLACEHOLDER_KEY}"),
        ("PII_KEYS", "k1:" + base64.b64encode(bytes(32)).decode()),
        ("PII_KEYS", f"k1:{KEY[:-4]}"),
        ("PII_KEYS", KEY),
        ("PII_KEYS", f"k1:{KEY},k1:{KEY}"),
        ("BLIND_INDEX_KEY", PLACEHOLDER_KEY),
        ("PROOF_KEYS", f"p1:{PLACEHOLDER_KEY}"),
        ("PROOF_KEYS", f"p1:{KEY},p1:{KEY}"),
        ("BLIND_INDEX_KEY", "change-me"),
        ("ALLOWED_HOSTS", "*"),
        ("NUM_PROXIES", "-1"),
        ("METRICS_TOKEN", "short"),
        ("RATE_READ", "100"),
        ("RATE_WRITE", "0/60"),
        ("RATE_ADDRESS", "many/60"),
        ("RATE_TEXTS", "1200"),
        ("SMS_COUNTRIES", "+86"),
        ("WEBHOOKS_AT_HOME", "1"),
        ("CONSOLE_SECOND_STEP", "sometimes"),
        ("WEBHOOK_PORTS", "https"),
        ("WEBHOOK_PORTS", "443,65536"),
        ("WEBHOOK_PORTS", "0"),
        ("BNPL_POSTURE", "staging"),
    ],
)
def test_production_refuses_in_one_sentence_that_names_the_variable(name: str, value: str | None) -> None:
    values = {key: kept for key, kept in {**SOUND, name: value}.items() if kept is not None}
    with pytest.raises(ImproperlyConfigured) as refusal:
        load(values)
    sentence = str(refusal.value)
    assert name in sentence
    assert sentence.count("\n") == 0
    assert sentence.endswith(".")
    assert not value or len(value) < 40 or value not in sentence  # a secret is not repeated into a log
    assert not any(part in sentence for part in ("pass/", "pass#", "'pass'"))  # nor a part of one


def test_the_other_postures_start_with_nothing_set() -> None:
    for posture in ("local", "test"):
        assert not load({"BNPL_POSTURE": posture})["PRODUCTION"]


def test_webhooks_stay_at_home_only_where_nobody_else_lives() -> None:
    assert not load(SOUND)["WEBHOOKS_AT_HOME"]
    assert load(SOUND)["WEBHOOK_PORTS"] == {443}
    assert load(SOUND | {"WEBHOOK_PORTS": "443, 8443"})["WEBHOOK_PORTS"] == {443, 8443}
    assert load({"BNPL_POSTURE": "local"})["WEBHOOKS_AT_HOME"]
    assert not load({"BNPL_POSTURE": "local", "WEBHOOKS_AT_HOME": "0"})["WEBHOOKS_AT_HOME"]


def test_two_steps_are_demanded_of_colleagues_in_production_unless_it_says_no() -> None:
    assert load(SOUND)["CONSOLE_SECOND_STEP"]
    assert not load(SOUND | {"CONSOLE_SECOND_STEP": "0"})["CONSOLE_SECOND_STEP"]
    assert not load({"BNPL_POSTURE": "local"})["CONSOLE_SECOND_STEP"]
    assert load({"BNPL_POSTURE": "local", "CONSOLE_SECOND_STEP": "1"})["CONSOLE_SECOND_STEP"]


def test_https_hardens_cookies_and_headers() -> None:
    settings = load(SOUND)
    assert settings["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert settings["CSRF_COOKIE_NAME"].startswith("__Host-")
    for name in ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_CONTENT_TYPE_NOSNIFF"):
        assert settings[name] is True
    assert settings["SECURE_HSTS_SECONDS"] >= 365 * 24 * 3600
    assert settings["X_FRAME_OPTIONS"] == "DENY"


def test_the_policy_for_scripts_allows_nothing_inline() -> None:
    directives = load(SOUND)["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    assert directives["default-src"] == ["'self'"]
    assert all("unsafe" not in source for sources in directives.values() for source in sources)
    for name in ("object-src", "frame-ancestors", "base-uri"):
        assert directives[name] == ["'none'"]


def test_a_proxy_is_believed_only_when_it_is_ours() -> None:
    assert load(SOUND)["SECURE_PROXY_SSL_HEADER"] is None
    assert load({**SOUND, "NUM_PROXIES": "1"})["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")


def test_a_database_is_found_by_host_by_socket_and_as_another_role() -> None:
    host = Environment({"DATABASE_URL": "postgresql://a:p%40ss@db:6000/name?sslmode=require"}).database()
    assert (host["USER"], host["PASSWORD"], host["HOST"], host["PORT"], host["NAME"]) == (
        "a",
        "p@ss",
        "db",
        "6000",
        "name",
    )
    assert host["OPTIONS"]["sslmode"] == "require"
    assert "options" not in host["OPTIONS"]  # a pool in transaction mode refuses them
    socket = Environment({"DATABASE_URL": "postgresql://a@/name?host=/run/pg", "DATABASE_ROLE": "bnpl_app"}).database()
    assert (socket["HOST"], socket["PORT"]) == ("/run/pg", "")
    assert socket["OPTIONS"]["options"].startswith("-c role=bnpl_app -c statement_timeout=5s")


def test_a_task_is_never_handed_out_twice_while_it_may_still_run() -> None:
    settings = load(SOUND)
    options = settings["CELERY_BROKER_TRANSPORT_OPTIONS"]
    assert options["visibility_timeout"] > 2 * settings["CELERY_TASK_TIME_LIMIT"]
    assert options["unacked_restore_interval"] * options["unacked_restore_throttle"] <= 10
    assert settings["CELERY_TASK_SOFT_TIME_LIMIT"] < settings["CELERY_TASK_TIME_LIMIT"]
    assert settings["CELERY_TASK_SOFT_TIME_LIMIT"] > 2 * TIME_BUDGET_SECONDS


def test_a_worker_takes_one_task_at_a_time_and_returns_it_if_it_dies() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1


def test_celery_reads_json_alone_keeps_no_results_and_tells_nobody_of_its_tasks() -> None:
    assert app.conf.accept_content == ["json"]
    assert (app.conf.task_serializer, app.conf.result_serializer, app.conf.event_serializer) == ("json",) * 3
    assert app.conf.result_backend is None
    assert app.conf.task_ignore_result
    assert not app.conf.worker_send_task_events
    assert not app.conf.task_send_sent_event


def test_a_task_finds_its_connection_to_the_database_open() -> None:
    """Celery's own name for it is not like its other ones: what counts is what its Django fixup has read."""
    assert DjangoWorkerFixup(app).db_reuse_max >= 10**9
    database = load(SOUND)["DATABASES"]["default"]
    assert database["CONN_MAX_AGE"] is None
    assert database["CONN_HEALTH_CHECKS"]


def test_a_missing_broker_fails_publishing_at_once_and_is_awaited_by_workers() -> None:
    settings = load(SOUND)
    assert not settings["CELERY_TASK_PUBLISH_RETRY"]
    assert settings["CELERY_BROKER_CONNECTION_TIMEOUT"] < 1
    assert settings["CELERY_BROKER_TRANSPORT_OPTIONS"]["socket_timeout"] <= 5
    assert settings["CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP"]
    assert settings["CELERY_BROKER_CONNECTION_MAX_RETRIES"] is None


def test_scheduled_names_are_tasks_and_their_runs_expire() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in SCHEDULE.values()} <= set(app.tasks)
    for entry in SCHEDULE.values():
        assert entry["schedule"] < entry["options"]["expires"] <= max(2 * entry["schedule"], EXPIRES_MIN_SECONDS)
        assert entry["options"]["expires"] >= EXPIRES_MIN_SECONDS  # clocks differ, and hands are full
        assert entry["options"]["headers"]["every"] == entry["schedule"]
        assert isinstance(app.tasks[entry["task"]], ScheduledTask)


def test_money_jobs_have_their_own_queue_and_every_queue_has_a_worker() -> None:
    rung = {name: entry["options"]["queue"] for name, entry in SCHEDULE.items()}
    assert {name for name, queue in rung.items() if queue == MONEY_QUEUE} == {"deduct", "ask", "callbacks"}
    taken = [argv[argv.index("--queues") + 1].split(",") for argv in (WORKER, CLERK, COURIER)]
    assert sorted(queue for queues in taken for queue in queues) == sorted(QUEUES)
    assert set(rung.values()) == set(QUEUES)
    assert taken[0] == [MONEY_QUEUE]
    slow = {name for name, queue in rung.items() if queue == "slow"}
    assert {"notices", "letters", "statements", "exports", "files"} <= slow


def test_of_two_queues_the_one_named_first_is_emptied_first() -> None:
    with app.connection_for_read() as line, line.channel() as channel:
        assert channel.queue_order_strategy == "priority"
        channel._active_queues = ["house", "slow"]  # noqa: SLF001  as the clerk names them
        channel._update_queue_cycle()  # noqa: SLF001
        for _ in range(3):
            assert channel._queue_cycle.consume(2) == ["house", "slow"]  # noqa: SLF001
            channel._queue_cycle.rotate("house")  # noqa: SLF001  one of them was taken


def test_every_task_is_scheduled_by_beat_only() -> None:
    """So none has a time of its own far ahead, which a broker might hand out twice: due times are columns."""
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if not name.startswith("celery.")}
    assert ours == {entry["task"] for entry in SCHEDULE.values()}
    for file in (path for name in OWN_APPS for path in (SETTINGS.parent.parent / name).rglob("*.py")):
        calls = {getattr(node, "attr", "") for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))}
        assert not calls & {"delay", "apply_async", "send_task", "countdown"}, file


def test_fallback_secret_keys_are_accepted_and_must_be_strong() -> None:
    old = "0ld-" * 20
    assert load(SOUND | {"SECRET_KEY_FALLBACKS": f"{old}, "})["SECRET_KEY_FALLBACKS"] == [old]
    assert load(SOUND)["SECRET_KEY_FALLBACKS"] == []
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS has a default, or one shorter"):
        load(SOUND | {"SECRET_KEY_FALLBACKS": "short"})


def test_a_tls_brokers_certificate_is_verified() -> None:
    asked = celery_broker_url("rediss://:word@valkey:6380/0")
    assert Connection(asked).ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    ours = Connection(celery_broker_url("rediss://valkey:6380/0?ssl_ca_certs=%2Fetc%2Four.pem")).ssl
    assert ours == {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": "/etc/our.pem"}
    assert Connection(celery_broker_url("rediss://valkey:6380/0?ssl_cert_reqs=none")).ssl == {
        "ssl_cert_reqs": ssl.CERT_NONE
    }
