"""The drill of docs/operations.md: somebody changed the book by hand, and a copy of the moment before says what it was.

Run by `make evidence-backup`, with a PostgreSQL of its own: durable, archiving, with every guard in place. A base
backup is taken in the middle of business; business goes on; a bad UPDATE, by a superuser who switched the guards off;
business goes on again. The copy of the moment before is raised beside what is damaged, which is put right from it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from bnpl.stack.embedded import APP, OWNER, SUPERUSER, Postgres
from bnpl.stack.processes import ChildProcess, group_of
from bnpl.stack.runtime_dirs import choose_runtime_dirs
from tests import cluster_template
from tests.services import services

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[2]
#: Orders before the base backup, after it, and after what went wrong.
TRADED = int(os.environ.get("BACKUP_ORDERS", "300"))
PATIENCE_SECONDS = 300.0
#: All of the book in one number: each row as text, in the order of their keys.
BOOK = """
SELECT count(*), coalesce(encode(sha256(string_agg(sha256(p::text::bytea), ''::bytea ORDER BY id)), 'hex'), '')
FROM ledger_posting p WHERE id::text <= %s
"""
LAST = "SELECT max(id::text) FROM ledger_posting"
BAD = "UPDATE ledger_posting SET amount_minor = amount_minor * 10 WHERE get_byte(uuid_send(id), 15) %% 5 = 0"
WRONG = "SELECT id::text, amount_minor FROM ledger_posting WHERE id::text <= %s ORDER BY id"


class Cluster:
    """A PostgreSQL of the drill's own, with its archive."""

    def __init__(self, folder: Path, archive: Path) -> None:
        self.postgres, self.archive = Postgres(choose_runtime_dirs(folder)), archive
        self.child: ChildProcess | None = None

    def start(self) -> None:
        program = self.postgres.program()
        keep = f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f"
        argv = (*program.argv, "-c", "archive_mode=on", "-c", f"archive_command={keep}", "-c", "wal_level=replica")
        self.child = services.run(replace(program, argv=argv), self.answers)

    def answers(self) -> bool:
        """Whether it answers and has come to the end of what it replays."""
        return self.postgres.is_ready() and not self.ask("SELECT pg_is_in_recovery()")[0][0]

    def ask(self, words: str, given: list[Any] | None = None, *, database: str = "bnpl") -> list[Any]:
        with closing(psycopg2.connect(self.postgres.url(SUPERUSER, database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(words, given)
                return list(cursor.fetchall()) if cursor.description else []

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One of our own programs, on this database."""
        urls = {"DATABASE_URL": self.postgres.url(APP), "DATABASE_OWNER_URL": self.postgres.url(OWNER)}
        argv = [sys.executable, "-W", "ignore", *words]
        return subprocess.run(  # noqa: S603  our own words
            argv, cwd=ROOT, env={**os.environ, **urls}, capture_output=True, text=True, check=False
        )

    def trade(self) -> None:
        done = self.run("-m", "tests.backup.trade", str(TRADED))
        assert done.returncode == 0, done.stderr[-3000:]

    def verify(self) -> int:
        return self.run("manage.py", "verify").returncode

    def as_its_user(self, name: str, *words: str) -> None:
        user = self.postgres.dirs.user
        made = subprocess.run(  # noqa: S603  PostgreSQL's own
            [self.postgres.binary(name), *words],
            user=user, group=group_of(user), extra_groups=[] if user else None,
            cwd=self.postgres.folder, env={"PATH": os.defpath}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr


@contextmanager
def folders() -> Iterator[tuple[Path, Path, Path]]:
    """For what is damaged, for its archive, and for the copy."""
    with tempfile.TemporaryDirectory(prefix="bnpl-drill-", ignore_cleanup_errors=True) as name:
        whole = Path(name)
        whole.chmod(0o711)
        made = [whole / part for part in ("live", "archive", "copy")]
        for folder in made:
            folder.mkdir()
        made[1].chmod(0o777)  # the archive is another machine's in life; here whoever runs PostgreSQL writes into it
        yield made[0], made[1], made[2]


def test_a_bad_update_is_found_and_put_right_from_the_moment_before() -> None:
    clock = Clock()
    with folders() as (live_home, archive, copy_home):
        live, backup = Cluster(live_home, archive), archive / "base"
        cluster_template.install_template(live.postgres, services.running)
        live.start()
        live.trade()
        clock.tick("business before the backup")
        live.as_its_user("pg_basebackup", "-h", str(live.postgres.dirs.sockets), "-U", SUPERUSER,
                         "-D", str(backup), "-X", "none", "--checkpoint=fast")  # fmt: skip
        clock.tick("base backup")
        live.trade()
        assert live.verify() == 0
        clock.tick("business after it")

        last, before = live.ask(LAST)[0][0], live.ask("SELECT clock_timestamp()::text")[0][0]
        true = live.ask(BOOK, [last])[0]
        time.sleep(0.2)
        live.ask(f"SET session_replication_role = replica; {BAD.replace('%%', '%')}")
        live.trade()
        assert live.verify() == 1, "verify notices"
        clock.tick("the bad UPDATE, business after it, and verify that notices")

        copy = raised(backup, archive, copy_home, before, live)
        clock.tick("a copy of the moment before, raised beside it")
        assert copy.ask(BOOK, [last])[0] == true, "the book of that moment, to the byte"
        assert copy.ask(LAST)[0][0] == last, "and nothing of what came after"
        assert copy.verify() == 0
        clock.tick("its book hashed, and verify")

        damaged = put_right(live, copy, last)
        clock.tick(f"{damaged} damaged rows of {true[0]} found and put right")
        assert live.ask(BOOK, [last])[0] == true
        assert live.verify() == 0, "and what was sold after it is still there"
        clock.tick("verify")
    clock.tell(f"{true[0]} postings, {damaged} damaged; hash {true[1][:16]}… equal before, in the copy and put right")


def raised(backup: Path, archive: Path, home: Path, until: str, live: Cluster) -> Cluster:
    """The backup, rolled forward to just before, on a server of its own."""
    copy = Cluster(home, archive)
    segment = live.ask("SELECT pg_walfile_name(pg_switch_wal())")[0][0]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (archive / segment).exists():  # what was just written reaches the archive
        assert time.monotonic() < deadline, "nothing is archived"
        time.sleep(0.1)
    data = copy.postgres.folder / "data"
    shutil.copytree(backup, data)
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as conf:
        conf.write(f"restore_command = 'cp {archive}/%f %p'\nrecovery_target_time = '{until}'\n")
        conf.write("recovery_target_action = 'promote'\n")
    (data / "recovery.signal").touch()
    for path in (data, *data.rglob("*")):
        copy.postgres.dirs.chown(path)
    copy.archive = archive / "of-the-copy"
    copy.archive.mkdir(mode=0o777)
    copy.archive.chmod(0o777)
    copy.start()
    return copy


def put_right(live: Cluster, copy: Cluster, last: str) -> int:
    """What differs by key is what it was, by a superuser's hand and in one transaction. How many rows it was."""
    true = dict(copy.ask(WRONG, [last]))
    wrong = [(key, true[key]) for key, amount in live.ask(WRONG, [last]) if amount != true[key]]
    with (
        closing(psycopg2.connect(live.postgres.url(SUPERUSER))) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.executemany("UPDATE ledger_posting SET amount_minor = %s WHERE id = %s", [(b, a) for a, b in wrong])
    return len(wrong)


class Clock:
    """How long each step took, told to whoever asks with -s."""

    def __init__(self) -> None:
        self.at = time.monotonic()

    def tick(self, what: str) -> None:
        now = time.monotonic()
        self.tell(f"{now - self.at:6.1f} s  {what}")
        self.at = now

    def tell(self, text: str) -> None:
        sys.stdout.write(f"\nbackup drill: {text}")
