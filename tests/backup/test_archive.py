"""What docs/operations.md says to write into PostgreSQL's configuration does what it is written for."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnpl.stack.embedded import SUPERUSER
from bnpl.work.gauges import ARCHIVE_QUERY
from tests.backup.drill import Cluster
from tests.services import services

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
PATIENCE_SECONDS = 60.0
_BLOCKS = re.findall(r"^ *```\w*\n(.*?)^ *```$", DOCS, re.MULTILINE | re.DOTALL)


def block(word: str) -> str:
    """The configuration in the docs that has this word."""
    (found,) = [text for text in _BLOCKS if word in text]
    return re.sub(r"^ +", "", found, flags=re.MULTILINE)


def command(archive: Path, wal: Path) -> str:
    text = re.search(r"^archive_command = '(.*)'$", block("archive_command"), re.MULTILINE)
    assert text
    return text[1].replace("/backup", str(archive)).replace("%p", str(wal)).replace("%f", wal.name)


def archived(archive: Path, wal: Path) -> bool:
    return subprocess.run(["/bin/sh", "-c", command(archive, wal)], check=False).returncode == 0  # noqa: S603


@pytest.fixture
def wal(tmp_path: Path) -> Path:
    (tmp_path / "wal").mkdir()
    segment = tmp_path / "000000010000000000000007"
    segment.write_bytes(b"what happened" * 1000)
    return segment


def test_a_segment_that_is_new_is_archived_and_one_that_is_another_is_never_overwritten(wal: Path) -> None:
    assert archived(wal.parent, wal)
    kept = wal.parent / "wal" / wal.name
    assert kept.read_bytes() == wal.read_bytes()
    wal.write_bytes(b"something else")
    assert not archived(wal.parent, wal)
    assert kept.read_bytes() == b"what happened" * 1000


def test_one_that_was_archived_just_before_the_server_fell_is_no_reason_to_stop_for_ever(wal: Path) -> None:
    assert archived(wal.parent, wal)
    assert archived(wal.parent, wal)


def test_one_that_was_half_copied_is_copied_again(wal: Path) -> None:
    script = f"cp() {{ head -c 100 $1 > $2; kill -9 $$; }}; {command(wal.parent, wal)}"
    subprocess.run(["/bin/sh", "-c", script], check=False, capture_output=True)  # noqa: S603
    assert archived(wal.parent, wal)
    assert (wal.parent / "wal" / wal.name).read_bytes() == wal.read_bytes()


class Server(Cluster):
    """A PostgreSQL configured by nothing but what stands in its folder, as on a machine of one's own."""

    def initialise(self) -> None:
        self.postgres.initialise()
        self.configure("postgresql.conf", block("archive_command"))

    def configure(self, name: str, text: str) -> None:
        file = self.postgres.folder / "data" / name
        with file.open("a", encoding="utf-8") as conf:
            conf.write("\n" + text.replace("/backup", str(self.archive)))

    def start(self) -> None:
        self.child = services.run(self.postgres.program(), self.answers)

    def answers(self) -> bool:
        return self.postgres.is_ready() and not self.ask("SELECT pg_is_in_recovery()", database="postgres")[0][0]

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def write(self, number: int) -> None:
        self.ask("CREATE TABLE IF NOT EXISTS t (n int)", database="postgres")
        self.ask("INSERT INTO t VALUES (%s)", [number], database="postgres")

    def written(self) -> list[int]:
        return [n for (n,) in self.ask("SELECT n FROM t ORDER BY n", database="postgres")]

    def archive_all(self) -> None:
        segment = self.ask("SELECT pg_walfile_name(pg_switch_wal())", database="postgres")[0][0]
        self.until((self.archive / "wal" / segment).exists)


@pytest.fixture
def whole() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bnpl-archive-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        for part in ("live", "copy", "again", "backup", "backup/wal"):
            (folder / part).mkdir()
            (folder / part).chmod(0o777)
        yield folder


def raised(whole: Path, name: str, conf: str) -> Server:
    copy = Server(whole / name, whole / "backup")
    shutil.copytree(whole / "backup" / "base", copy.postgres.folder / "data")
    copy.configure("postgresql.auto.conf", conf)
    (copy.postgres.folder / "data" / "recovery.signal").touch()
    for path in (copy.postgres.folder / "data", *(copy.postgres.folder / "data").rglob("*")):
        copy.postgres.dirs.chown(path)
    copy.start()
    return copy


@pytest.mark.stack
def test_a_copy_of_the_moment_before_takes_nothing_from_a_later_restore_of_all(whole: Path) -> None:
    live = Server(whole / "live", whole / "backup")
    live.initialise()
    live.start()
    live.as_its_user(
        "pg_basebackup", "-h", str(live.postgres.dirs.sockets), "-U", SUPERUSER,
        "-D", str(whole / "backup" / "base"), "-X", "none", "--checkpoint=fast",
    )  # fmt: skip
    live.write(1)
    (moment,) = live.ask("SELECT clock_timestamp()::text", database="postgres")[0]
    live.write(2)
    live.archive_all()
    lines = block("recovery_target_time")
    copy = raised(whole, "copy", re.sub(r"(recovery_target_time = )'.*'", rf"\1'{moment}'", lines))
    assert copy.written() == [1]
    copy.ask("SELECT pg_switch_wal()", database="postgres")
    live.write(3)
    live.archive_all()
    without_target = "\n".join(line for line in lines.splitlines() if "recovery_target" not in line)
    assert raised(whole, "again", without_target).written() == [1, 2, 3]


@pytest.mark.stack
def test_segments_that_cannot_be_archived_are_counted_until_they_are(whole: Path) -> None:
    live, away = Server(whole / "live", whole / "backup"), whole / "backup" / "wal"
    live.initialise()
    live.start()

    def waiting() -> int:
        return int(live.ask(ARCHIVE_QUERY, database="postgres")[0][3])

    def complete_segments(number: int) -> None:
        for _ in range(number):
            live.write(1)
            live.ask("SELECT pg_switch_wal()", database="postgres")

    lost = away.rename(whole / "lost")
    complete_segments(1)
    live.until(lambda: waiting() > 0)  # nothing was archived ever: failed attempts
    lost.rename(away)
    live.until(lambda: waiting() == 0)
    complete_segments(1)
    live.until(lambda: waiting() == 0)
    away.rename(lost)
    complete_segments(3)
    assert waiting() == 3
    lost.rename(away)
    live.until(lambda: waiting() == 0)
