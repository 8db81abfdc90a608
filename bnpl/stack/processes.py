"""Programs that live no longer than we do."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

LINES_KEPT = 40
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SETTLED_SECONDS = 20.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, as whom, and which signal asks it to end."""

    name: str
    argv: tuple[str, ...]
    folder: Path
    env: Mapping[str, str]
    user: str | None = None
    farewell: signal.Signals = signal.SIGTERM
    orphaned: signal.Signals | None = None  # when we are killed; else the farewell


def die_with(parent: int, farewell: int) -> Callable[[], None]:
    """Run in the child between fork and exec: when we are killed, the kernel asks the child to end."""

    def promise() -> None:
        if sys.platform == "linux":
            LIBC.prctl(PR_SET_PDEATHSIG, farewell)
            if os.getppid() != parent:  # we died before the promise was made
                os._exit(1)

    return promise


@dataclass
class Child:
    """One program, started by the main thread: the kernel's promise is bound to the thread that forks."""

    program: Program
    write: Callable[[str, str], None]
    lasting: bool
    process: subprocess.Popen[str] | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    falls: int = 0
    started: float = 0.0
    again_at: float | None = None
    copier: threading.Thread | None = None

    def start(self) -> None:
        program = self.program
        self.process = subprocess.Popen(
            program.argv,
            cwd=program.folder,
            env=dict(program.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is ours alone: we stop them in the right order
            preexec_fn=die_with(os.getpid(), program.orphaned or program.farewell),  # noqa: PLW1509 (calls prctl and nothing else)
            user=program.user,
            group=group_of(program.user),
            extra_groups=[] if program.user else None,
        )
        self.started, self.again_at = time.monotonic(), None
        if self.process.stdout is None:
            raise RuntimeError("a child was started without its pipe")
        self.copier = threading.Thread(target=self.copy_lines, args=(self.process.stdout,), daemon=True)
        self.copier.start()

    def copy_lines(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self.last_lines.append(line.rstrip())
                self.write(self.program.name, line.rstrip())

    @property
    def code(self) -> int | None:
        """None while it runs, or when it was never started."""
        return None if self.process is None else self.process.poll()

    def drain(self) -> None:
        """Lets the last lines of an ended program arrive."""
        if self.copier is not None:
            self.copier.join(timeout=1)

    def ask_to_end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.program.farewell)

    def kill(self) -> None:
        """Ends the program and everything it started, which shares its process group."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return  # all of them are gone already
            self.process.wait()

    def tend(self) -> str:
        """Starts a fallen program again, later each time; returns what there is to say about it."""
        if self.process is None or self.process.poll() is None:
            return ""
        now = time.monotonic()
        if self.again_at is None:
            self.kill()  # its orphans would hold its port
            self.falls = 0 if now - self.started > SETTLED_SECONDS else self.falls
            pause = BACKOFF_SECONDS[min(self.falls, len(BACKOFF_SECONDS) - 1)]
            self.falls, self.again_at = self.falls + 1, now + pause
            return f"{self.program.name} ended ({manner(self.process.returncode)}); again in {pause} s"
        if now >= self.again_at:
            self.start()
        return ""


def manner(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def group_of(user: str | None) -> int | None:
    """The user's own group: as root alone do we start anything as somebody else."""
    if user is None:
        return None
    return pwd.getpwnam(user).pw_gid
