"""Replays the SQL statements of a create with pgbench, captured from Django so that they cannot go stale."""

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.crowd import FIRST, Crowd
from benchmarks.measurement import SECONDS, Measurement, measure
from kernel.prepared_statements import PreparedStatement
from tests.services import services as servers

#: pgbench's variables: `:pp` is a random person, `:nn` a random number for new keys.
_HEAD = "\\set pp random({first}, {last})\n\\set nn random(100000000000, 999999999999)\n"
_ONE = "G000000000001"
_KEY = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}(?![0-9a-f])")
_LOCK = re.compile(r"(advisory_xact_lock\()\s*-?\d+")
#: Separates the statements of one message.
_BETWEEN = re.compile(r";\s+")
_NAMED = re.compile(r"EXECUTE (q_\w+)")


@dataclass(frozen=True, slots=True)
class Script:
    text: str
    statements: int


def capture_script(crowd: Crowd) -> Script:
    """Capture the statements of one create, after warming up so that no one-time statement is included."""
    client = Client()
    for place in range(2):
        _create(client, crowd, f"G99999999999{place}")
    agreement = crowd.agreement()
    with CaptureQueriesContext(connection) as sent:
        _create(client, crowd, _ONE, agreement)
    statements = [query["sql"] for query in sent.captured_queries]
    if statements[-1] != "COMMIT":
        raise RuntimeError(f"A create ended with {statements[-1]!r}.")
    kept = {crowd.merchant_id.hex, crowd.pattern.service.id.hex, _api_key(crowd)}
    text = "\n".join(f"{_join_statements(statement)};" for statement in statements)
    head = _HEAD.format(first=FIRST, last=FIRST + crowd.people - 1)
    return Script(f"{head}{_prepare_commands(text)}{_randomize_keys(text, agreement[-6:], kept)}\n", len(statements))


def _create(client: Client, crowd: Crowd, number: str, agreement: str = "") -> None:
    body = {"agreement": agreement or crowd.agreement(), "out_order_no": number, "title": "充电宝", "ceiling": 100}
    answer = client.post(
        "/v1/orders",
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {crowd.secret}", "Idempotency-Key": number},
    )
    if answer.status_code != 201:
        raise RuntimeError(answer.content.decode())


def _api_key(crowd: Crowd) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM merchants_apikey WHERE merchant_id = %s", [crowd.merchant_id])
        return str(cursor.fetchone()[0].hex)


def _join_statements(statement: str) -> str:
    """Keep the statements of one message in one pgbench command."""
    return _BETWEEN.sub(r"\\; ", statement.strip().rstrip(";"))


def _prepare_commands(text: str) -> str:
    """The commands with which each connection prepares its statements once."""
    names = dict.fromkeys(_NAMED.findall(text))
    if not names:
        return ""
    return "\n".join(
        [
            "\\if :ready = 0",
            *(f"{PreparedStatement.by_name[name].prepare};" for name in names),
            "\\set ready 1",
            "\\endif",
            "",
        ]
    )


def _randomize_keys(text: str, person: str, kept: set[str]) -> str:
    """Replace the person and all new keys by pgbench's variables."""
    new: dict[str, int] = {}

    def other(found: re.Match[str]) -> str:
        key, dash = found[0].replace("-", ""), found[1]
        if key in kept:
            return found[0]
        if key.startswith("018000000000"):
            return found[0].removesuffix(person) + ":pp" if key.endswith(person) else found[0]
        place = new.setdefault(key, len(new))
        return dash.join(("018f0000", f"00{place:02}", "7000", "8000", ":nn"))

    varied = _KEY.sub(other, text).replace(_ONE, "G:nn")
    return _LOCK.sub(r"\1:nn", varied)


def pgbench(script: Script, crowd: Crowd, clients: int) -> Measurement:
    """Run the script with as many clients as the web has, and measure it."""
    release_limits(crowd)
    if servers.postgres is None:
        raise RuntimeError("pgbench needs the embedded PostgreSQL.")
    server = next(child for child in servers.children if child.program.name == "postgres")
    with tempfile.TemporaryDirectory(prefix="bnpl-pgbench-") as folder:
        file = Path(folder) / "create.sql"
        file.write_text(script.text, encoding="utf-8")
        argv = [servers.postgres.binary("pgbench"), "-n", "-M", "simple", "-c", str(clients), "-j", "2"]
        argv += ["-T", str(max(1, round(SECONDS))), "-D", "ready=0", "-f", str(file), servers.app_url]

        def go() -> int:
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            found = re.search(r"actually processed: (\d+)", done.stdout)
            if done.returncode or not found:
                raise RuntimeError(done.stderr[-3000:])
            return int(found[1])

        pid = server.process.pid if server.process else 0
        work = measure(go, {"database": pid})
        release_limits(crowd)
        return work


def release_limits(crowd: Crowd) -> None:
    """Reset held amounts and open orders: pgbench creates more orders for each person than the limit allows."""
    del crowd
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("UPDATE credit_profile SET held_minor = 0, open_orders = 0 WHERE open_orders > 0")
