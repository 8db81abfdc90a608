"""A migrated database cluster, created once for the same code and copied by every test process.

It is kept in the temporary directory under a name derived from the code, so that other code creates another.
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
from bnpl.stack.runtime_dirs import RuntimeDirs, private_temp_dir

ROOT = Path(__file__).parent.parent
#: Directories whose code does not affect the cluster.
OUTSIDE = ("tests", "benchmarks", "tmp", "docs", "staticfiles")
UNUSED_SECONDS = 24 * 3600.0
# Tables whose rows were created by migrations and that no test changes.
KEPT = ("django_migrations", "django_content_type", "auth_permission")
# Rows that migrations inserted into other tables are copied once, and restored after each transactional test.
INSTALL_RESTORE = """
CREATE SCHEMA seed;
CREATE FUNCTION seed.tables() RETURNS SETOF regclass LANGUAGE sql STABLE AS $$
  SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname NOT IN ('seed', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%'
    AND c.relname <> ALL (%(template)s) ORDER BY c.oid
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


def install_template(postgres: Postgres, run: Run) -> None:
    """Copy the template to the cluster's data directory, creating it if needed; `run` runs a server."""
    templates_dir = private_temp_dir(
        Path(tempfile.gettempdir()) / f"bnpl-tests-{os.geteuid()}", RuntimeDirs(Path(), Path(), None)
    )
    template = templates_dir / template_key()
    with (templates_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.utime(lock.fileno())
        if template.is_dir():
            os.utime(template)
        else:
            create_template(postgres, run)
            copy_data(postgres.folder / "data", templates_dir / "half")
            (templates_dir / "half").rename(template)
            remove_unused(templates_dir)
    if not postgres.exists:
        copy_data(template, postgres.folder / "data.new")
        for path in ((new := postgres.folder / "data.new"), *new.rglob("*")):
            postgres.dirs.chown(path)
        new.rename(postgres.folder / "data")


def template_key() -> str:
    """A digest of the code that the template was created from."""
    said = hashlib.sha256(f"{sys.version} {os.environ.get('PG_BIN')}".encode())
    folders = [path for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "." and path.name not in OUTSIDE]
    code = [path for folder in folders for path in folder.rglob("*.py")]
    for path in sorted([*code, Path(__file__), *ROOT.glob("requirements/*.txt")]):
        said.update(f"{path.relative_to(ROOT)} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    return said.hexdigest()[:24]


def create_template(postgres: Postgres, run: Run) -> None:
    """Create a cluster as `make up` does, and stop it cleanly."""
    postgres.initialise()
    with run(postgres):
        postgres.create_roles_and_database()
        subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", "prepare", "--verbosity=0"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": postgres.url(OWNER), "DATABASE_OWNER_URL": postgres.url(OWNER)},
            check=True,
        )
        with contextlib.closing(psycopg2.connect(postgres.url(SUPERUSER))) as superuser:
            superuser.autocommit = True
            install_restore_function(superuser)


def install_restore_function(superuser: "psycopg2.extensions.connection") -> None:
    """Create the function seed.restore(), which resets the database to its present state."""
    with superuser.cursor() as cursor:
        cursor.execute(INSTALL_RESTORE, {"template": list(KEPT)})


def copy_data(data: Path, to: Path) -> None:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(data, to, symlinks=True)


def remove_unused(templates_dir: Path) -> None:
    """Remove templates that were not used for a day."""
    now = (templates_dir / "lock").stat().st_mtime
    for old in templates_dir.iterdir():
        if old.is_dir() and now - old.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
