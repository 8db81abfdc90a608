"""Child processes of the stack, which end when the stack does."""

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
STABLE_SECONDS = 20.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, as which user, and which signal stops it."""

    name: str
    argv: tuple[str, ...]
    folder: Path
    env: Mapping[str, str]
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals | None = None  # sent when the stack is killed; by default the stop signal


def set_parent_death_signal(parent: int, number: int) -> Callable[[], None]:
    """Run in the child between fork and exec: the kernel will signal the child when we are killed."""

    def set_signal() -> None:
        if sys.platform == "linux":
            LIBC.prctl(PR_SET_PDEATHSIG, number)
            if os.getppid() != parent:  # we were killed before the signal was set
                os._exit(1)

    return set_signal


@dataclass
class ChildProcess:
    """A running program. It must be started by the main thread: the death signal is tied to the thread that forks."""

    program: Program
    write_line: Callable[[str, str], None]
    is_service: bool
    process: subprocess.Popen[str] | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    failures: int = 0
    started: float = 0.0
    restart_at: float | None = None
    output_thread: threading.Thread | None = None

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
            start_new_session=True,  # Ctrl-C reaches only us, and we stop the programs in order
            preexec_fn=set_parent_death_signal(os.getpid(), program.orphan_signal or program.stop_signal),  # noqa: PLW1509 (calls prctl and nothing else)
            user=program.user,
            group=group_of(program.user),
            extra_groups=[] if program.user else None,
        )
        self.started, self.restart_at = time.monotonic(), None
        if self.process.stdout is None:
            raise RuntimeError("a child was started without its pipe")
        self.output_thread = threading.Thread(target=self.copy_lines, args=(self.process.stdout,), daemon=True)
        self.output_thread.start()

    def copy_lines(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self.last_lines.append(line.rstrip())
                self.write_line(self.program.name, line.rstrip())

    @property
    def exit_code(self) -> int | None:
        """None while it runs, and before it was started."""
        return None if self.process is None else self.process.poll()

    def drain(self) -> None:
        """Wait for the last output lines of an ended program."""
        if self.output_thread is not None:
            self.output_thread.join(timeout=1)

    def request_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.program.stop_signal)

    def kill(self) -> None:
        """Kill the program and everything it started, which shares its process group."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return  # all of them are gone already
            self.process.wait()

    def restart_if_ended(self) -> str:
        """Restart an ended program, after a longer pause each time. Returns a message, or an empty string."""
        if self.process is None or self.process.poll() is None:
            return ""
        now = time.monotonic()
        if self.restart_at is None:
            self.kill()  # its own children would hold its port
            self.failures = 0 if now - self.started > STABLE_SECONDS else self.failures
            pause = BACKOFF_SECONDS[min(self.failures, len(BACKOFF_SECONDS) - 1)]
            self.failures, self.restart_at = self.failures + 1, now + pause
            return f"{self.program.name} ended ({describe_exit(self.process.returncode)}); again in {pause} s"
        if now >= self.restart_at:
            self.start()
        return ""


def describe_exit(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def group_of(user: str | None) -> int | None:
    """The user's primary group; None for the current user."""
    if user is None:
        return None
    return pwd.getpwnam(user).pw_gid
