"""A migrated cluster, made once for the same code and copied by every process that tests: migrating takes seconds.

It is kept among everybody's temporary files under a name that says what it was made of; other code makes another.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg2

from bnpl.stack.embedded import OWNER, SUPERUSER, Postgres
from bnpl.stack.place import Place, claim

ROOT = Path(__file__).parent.parent
#: What a cluster is made of: the code, the versions it was written for, and this file.
OUTSIDE = ("tests", "benchmarks", "tmp", "docs", "staticfiles")
UNUSED_SECONDS = 24 * 3600.0
# Tables whose rows migrations made, and no test changes: they are left alone.
KEPT = ("django_migrations", "django_content_type", "auth_permission")
# What migrations put into any other table is copied once, and put back after each transactional test.
REMEMBER = """
CREATE SCHEMA seed;
CREATE FUNCTION seed.tables() RETURNS SETOF regclass LANGUAGE sql STABLE AS $$
  SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname NOT IN ('seed', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%'
    AND c.relname <> ALL (%(kept)s) ORDER BY c.oid
$$;
CREATE FUNCTION seed.columns(t regclass) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum) FROM pg_attribute
  WHERE attrelid = t AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
$$;
CREATE TABLE seed.copies (source regclass PRIMARY KEY, copy text NOT NULL);
DO $do$
DECLARE t regclass; filled boolean;
BEGIN
  FOR t IN SELECT seed.tables() LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %%s)', t) INTO filled;
    IF filled THEN
      EXECUTE format('CREATE TABLE seed.copy_%%s AS SELECT %%s FROM %%s', t::oid, seed.columns(t), t);
      INSERT INTO seed.copies VALUES (t, format('seed.copy_%%s', t::oid));
    END IF;
  END LOOP;
END $do$;
CREATE FUNCTION seed.restore() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$
DECLARE t regclass; saved text; filled boolean;
BEGIN
  FOR t IN SELECT seed.tables() LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %%s)', t) INTO filled;
    IF filled THEN EXECUTE format('DELETE FROM %%s', t); END IF;
    SELECT copy INTO saved FROM seed.copies WHERE source = t;
    IF saved IS NOT NULL THEN
      EXECUTE format('INSERT INTO %%s (%%s) OVERRIDING SYSTEM VALUE SELECT * FROM %%s', t, seed.columns(t), saved);
    END IF;
  END LOOP;
END $$;
"""


Run = Callable[[Postgres], AbstractContextManager[None]]


def furnish(postgres: Postgres, run: Run) -> None:
    """Puts a migrated cluster where this one's data belong; `run` runs the server for as long as it is made."""
    shelf = claim(Path(tempfile.gettempdir()) / f"bnpl-tests-{os.geteuid()}", Place(Path(), Path(), None))
    kept = shelf / digest()
    with (shelf / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.utime(lock.fileno())
        if kept.is_dir():
            os.utime(kept)
        else:
            make(postgres, run)
            copy(postgres.folder / "data", shelf / "half")
            (shelf / "half").rename(kept)
            tidy(shelf)
    if not postgres.exists:
        copy(kept, postgres.folder / "data.new")
        for path in ((new := postgres.folder / "data.new"), *new.rglob("*")):
            postgres.place.give(path)
        new.rename(postgres.folder / "data")


def digest() -> str:
    """Names what a cluster was made of."""
    said = hashlib.sha256(f"{sys.version} {os.environ.get('PG_BIN')}".encode())
    folders = [path for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "." and path.name not in OUTSIDE]
    code = [path for folder in folders for path in folder.rglob("*.py")]
    for path in sorted([*code, Path(__file__), *ROOT.glob("requirements/*.txt")]):
        said.update(f"{path.relative_to(ROOT)} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    return said.hexdigest()[:24]


def make(postgres: Postgres, run: Run) -> None:
    """As `make up` makes one, stopped cleanly."""
    postgres.initialise()
    with run(postgres):
        postgres.furnish()
        subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", "prepare", "--verbosity=0"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": postgres.url(OWNER), "DATABASE_OWNER_URL": postgres.url(OWNER)},
            check=True,
        )
        with contextlib.closing(psycopg2.connect(postgres.url(SUPERUSER))) as superuser:
            superuser.autocommit = True
            remember(superuser)


def remember(superuser: "psycopg2.extensions.connection") -> None:
    """The database learns to become again what it is now."""
    with superuser.cursor() as cursor:
        cursor.execute(REMEMBER, {"kept": list(KEPT)})


def copy(data: Path, to: Path) -> None:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(data, to, symlinks=True)


def tidy(shelf: Path) -> None:
    """What nobody has used for a day goes."""
    now = (shelf / "lock").stat().st_mtime
    for old in shelf.iterdir():
        if old.is_dir() and now - old.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
