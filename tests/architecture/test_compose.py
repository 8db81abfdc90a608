"""The compose file and the Dockerfile cannot run here, so they are compared with the code they refer to."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from celery import Celery
from celery.bin.beat import beat
from celery.bin.celery import celery
from celery.bin.worker import worker
from django.conf import settings
from django.core.management import get_commands
from granian.cli import cli as granian

from bnpl.health import PROBES
from bnpl.stack.config import BEAT, CLERK, COURIER, WEB, WEB_LIMITS, WORKER
from bnpl.stack.embedded import APP, DATABASE, OWNER
from tests.architecture.test_settings import names_read

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
OURS = ("web", "worker", "clerk", "courier", "beat", "migrate")
MAY_BE_EMPTY = {"EMAIL_HOST_PASSWORD"}  # a mail server may ask for none, as the one that catches mail
#: Variables set by the file or the image itself, or of no use in production.
NOT_ASKED = {"BNPL_POSTURE", "DATABASE_URL", "DATABASE_ROLE", "REDIS_URL", "STATIC_ROOT", "WEBHOOKS_AT_HOME"}
# Read by docker compose itself, to make passwords out of; the code meets them inside its URLs.
COMPOSE_ONLY = {"APP_PASSWORD", "OWNER_PASSWORD", "POSTGRES_PASSWORD"}


def instructions(name: str) -> list[str]:
    return [line.removeprefix(name).strip() for line in DOCKERFILE.splitlines() if line.startswith(f"{name} ")]


def web_command() -> list[str]:
    command: list[str] = yaml.safe_load(instructions("CMD")[-1])
    return command


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def flags(argv: list[str]) -> Iterator[str]:
    return (word for word in argv if word.startswith("-"))


def test_compose_holds_these_services_and_no_more() -> None:
    assert set(SERVICES) == {*OURS, "postgres", "pgbouncer", "valkey", "mail"}


def test_no_service_fills_the_disk_with_its_lines() -> None:
    assert {name for name, service in SERVICES.items() if not service["logging"]["options"]["max-size"]} == set()


@pytest.mark.parametrize("name", OURS)
def test_every_variable_given_to_the_app_is_one_its_settings_read(name: str) -> None:
    assert set(SERVICES[name]["environment"]) <= names_read()


def test_every_variable_asked_from_the_operator_is_known_and_a_secret_has_no_default() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    assert asked - COMPOSE_ONLY <= names_read()
    needed = set(re.findall(r"\$\{([A-Z_]+):\?", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    secrets = {name for name in asked if name.endswith(("_KEY", "_KEYS", "PASSWORD"))} - MAY_BE_EMPTY
    assert secrets <= needed


def test_every_variable_that_operations_names_reaches_the_app_and_may_be_set() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").partition("| variable | meaning |")[2]
    named = {
        name
        for line in text.split("\n\n")[0].splitlines()
        for name in re.findall(r"`([A-Z_]+\*?)`", line[2:].split("|")[0])
    }
    families = {name.rstrip("*") for name in named if name.endswith("*")}
    named = {name for name in named if not name.endswith("*")}
    named |= {name for name in names_read() for family in families if name.startswith(family)}
    assert len(named) > 20
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    assert named - NOT_ASKED <= asked & set(SERVICES["web"]["environment"])
    assert asked - COMPOSE_ONLY <= named


def test_the_web_command_is_the_one_of_the_local_stack() -> None:
    argv = web_command()
    assert argv[0] == WEB[0]
    assert {*WEB, *WEB_LIMITS} <= set(argv)
    assert set(flags(argv)) <= options(granian)
    module, _, name = argv[-1].partition(":")
    assert callable(getattr(importlib.import_module(module), name).__rsgi__)


@pytest.mark.parametrize(
    ("service", "local", "command"),
    [("worker", WORKER, worker), ("clerk", CLERK, worker), ("courier", COURIER, worker), ("beat", BEAT, beat)],
)
def test_celery_is_started_as_in_the_local_stack(service: str, local: tuple[str, ...], command: click.Command) -> None:
    argv: list[str] = SERVICES[service]["command"]
    assert set(local) - {"2"} <= set(argv)
    assert set(flags(argv)) <= options(command) | options(celery)
    module = importlib.import_module(argv[argv.index("--app") + 1])
    assert isinstance(module.app, Celery)


@pytest.mark.parametrize("name", ["worker", "clerk"])
def test_a_worker_is_given_the_time_to_end_its_tasks(name: str) -> None:
    seconds = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    assert seconds > settings.CELERY_TASK_TIME_LIMIT


def test_migrations_run_as_the_owner_past_the_pool_and_everybody_waits_for_them() -> None:
    migrate = SERVICES["migrate"]
    assert migrate["command"][:2] == ["python", "manage.py"]
    assert migrate["command"][2] in get_commands()
    assert re.match(rf"postgresql://{OWNER}:\S+ ?.*@postgres:5432/{DATABASE}$", migrate["environment"]["DATABASE_URL"])
    for name in ("web", "worker", "clerk", "courier", "beat"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        url = SERVICES[name]["environment"]["DATABASE_URL"]
        assert re.match(rf"postgresql://{APP}:.*@pgbouncer:5432/{DATABASE}$", url)


def test_ports_and_probes_agree() -> None:
    argv = web_command()
    port = argv[argv.index("--port") + 1]
    assert instructions("EXPOSE") == [port]
    assert SERVICES["web"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    probe = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", SERVICES["web"]["healthcheck"]["test"][-1])
    assert probe
    assert probe.group(1) == port
    assert probe.group(2) in PROBES


def test_nothing_is_published_beyond_this_host() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_broker_keeps_what_it_is_given() -> None:
    command = " ".join(SERVICES["valkey"]["command"])
    assert "--appendonly yes --appendfsync everysec" in command
    assert "--maxmemory-policy noeviction" in command
    assert SERVICES["valkey"]["image"].split(":")[1].startswith("9")


def test_the_database_is_the_version_of_the_local_stack_behind_a_transaction_pool() -> None:
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert "--builtin-locale=C.UTF-8" in SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]
    assert SERVICES["pgbouncer"]["environment"]["POOL_MODE"] == "transaction"
    # Its own would make of a restart of two seconds fifteen, and let a request wait for two minutes.
    assert int(SERVICES["pgbouncer"]["environment"]["SERVER_LOGIN_RETRY"]) == 1
    assert int(SERVICES["pgbouncer"]["environment"]["QUERY_WAIT_TIMEOUT"]) <= 10
    roles: str = COMPOSE["configs"]["roles"]["content"]
    assert f"CREATE ROLE {APP} LOGIN PASSWORD" in roles
    assert f"CREATE DATABASE {DATABASE} OWNER {OWNER};" in roles


def test_the_image_installs_the_production_lock_and_runs_as_nobody_special() -> None:
    assert "--require-hashes" in DOCKERFILE
    assert "requirements/base.txt requirements/fonts.txt" in DOCKERFILE
    assert not re.search(r"requirements/(local|dev|uv)\.txt", DOCKERFILE)
    made = shlex.split(next(line for line in instructions("RUN") if line.startswith("useradd")))
    assert instructions("USER") == [made[-1]]
    assert int(made[made.index("--uid") + 1]) >= 1000
    assert "collectstatic" in DOCKERFILE


def test_no_address_of_the_outside_stands_in_either_file() -> None:
    for name in ("Dockerfile", "docker-compose.yml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        addresses = set(re.findall(r"https?://([^/\s'\"]+)", text))
        assert addresses <= {"127.0.0.1:8000", "build.invalid"}
        assert "index-url" not in text
