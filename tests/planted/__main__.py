"""Plants each known mistake in a copy of the tree, and sees whether the ordinary suites notice.

`python -m tests.planted` tries all of them; words after it choose those whose names hold one of the words.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.planted.bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parents[2]
#: How many may stay unnoticed.
UNDETECTED_MAX = 1
PASSED, FAILED = 0, 1
TIMEOUT_SECONDS = 1800


class CannotPlantError(RuntimeError):
    """A change does not fit the product any more, or the suites say something that is no verdict."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a mistake was noticed, by what, and how soon."""

    bug: Bug
    detected_by: str
    seconds: float


def copy_tree(to: Path) -> None:
    """The product as it stands here, with what is not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607  whichever git is here
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = ROOT / name, to / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (to / ".venv").symlink_to(ROOT / ".venv")


@contextmanager
def apply_bug(bug: Bug, tree: Path) -> Iterator[None]:
    """The mistake is in the tree, for as long as this lasts."""
    originals = {change.file: (tree / change.file).read_text() for change in bug.changes}
    try:
        for change in bug.changes:
            text = (tree / change.file).read_text()
            if text.count(change.old) != 1:
                raise CannotPlantError(f"{bug.name}: {change.file} holds its text {text.count(change.old)} times")
            (tree / change.file).write_text(text.replace(change.old, change.new))
        yield
    finally:
        for name, text in originals.items():
            (tree / name).write_text(text)


def run(tree: Path, suites: tuple[str, ...]) -> tuple[int, str]:
    """The suites in that tree, up to their first failure: how they ended, and what they said."""
    pytest = [sys.executable, "-m", "pytest", *suites, "-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no"]
    done = subprocess.run(pytest, cwd=tree, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)  # noqa: S603
    return done.returncode, done.stdout


def check_bug(bug: Bug, tree: Path) -> Verdict:
    started = time.monotonic()
    with apply_bug(bug, tree):
        code, output = run(tree, bug.suites)
    if code not in (PASSED, FAILED):
        raise CannotPlantError(f"{bug.name}: pytest ended with {code}\n{output}")
    first = next((line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))), "")
    detected_by = first.partition(" ")[2].partition(" - ")[0] if code == FAILED else ""
    return Verdict(bug, detected_by, time.monotonic() - started)


def main(words: list[str]) -> int:
    bugs = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="bnpl-planted-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        suites = tuple(sorted({suite for bug in bugs for suite in bug.suites}))
        code, output = run(tree, suites)
        if code != PASSED:
            raise CannotPlantError(f"Without any mistake the suites must pass:\n{output}")
        verdicts = []
        for bug in bugs:
            verdicts.append(verdict := check_bug(bug, tree))
            where = verdict.detected_by or "NOT NOTICED"
            sys.stdout.write(f"{bug.name:64} {verdict.seconds:6.1f} s  {where}\n")
            sys.stdout.flush()
    undetected = sum(not verdict.detected_by for verdict in verdicts)
    sys.stdout.write(f"\nplanted bugs: {len(verdicts) - undetected} of {len(verdicts)} noticed\n")
    return int(undetected > UNDETECTED_MAX)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
