"""The terminal output of the stack: a line for each step, and each program's lines behind its name."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

WIDTH = 9
COLOURS = {"stack": "1", "postgres": "34", "valkey": "31", "web": "32", "worker": "36", "clerk": "33"}
COLOURS |= {"courier": "96", "beat": "35"}


class Console:
    def __init__(self) -> None:
        self.coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.began = time.monotonic()
        self.lock = threading.Lock()

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.coloured else text

    def line(self, name: str, text: str) -> None:
        """Write a whole line, so that lines of different programs never mix."""
        label = self.paint(f"{name:<{WIDTH}}|", COLOURS.get(name, "2"))
        with self.lock:
            sys.stdout.write(f"{label} {text}\n")
            sys.stdout.flush()

    def say(self, text: str) -> None:
        self.line("stack", text)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print a step's title and duration when it succeeds; a failure is reported by its exception."""
        start = time.monotonic()
        yield
        self.done(title, time.monotonic() - start)

    def done(self, title: str, seconds: float) -> None:
        self.say(f"{title:<44} {seconds:6.2f} s")
