"""Starts programs, waits for them, picks up the ones that fall, and stops them all in the right order."""

import signal
import time
from collections.abc import Callable
from types import FrameType

from bnpl.stack.console import Console
from bnpl.stack.place import CannotStartError
from bnpl.stack.processes import Child, Program

GLANCE_SECONDS = 0.02
WATCH_SECONDS = 0.1
# The programs that use the database and the broker go first, and get the longer part of the five seconds.
FAREWELLS = ((("beat", "web", "worker", "clerk", "courier"), 2.5), (("valkey", "postgres"), 10.0))


class StoppingError(Exception):
    """The person pressed Ctrl-C, or the system asked us to end."""


class Supervisor:
    def __init__(self, console: Console) -> None:
        self.console = console
        self.children: dict[str, Child] = {}
        self.stopping = False

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.heard)

    def heard(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def launch(self, program: Program) -> Child:
        child = Child(program, self.console.line, lasting=True)
        self.children[program.name] = child
        child.start()
        return child

    def command(self, program: Program) -> Child:
        """A program that is meant to end by itself; its lines are shown only if it ends badly."""
        child = Child(program, lambda _name, _line: None, lasting=False)
        self.children[program.name] = child
        child.start()
        return child

    def finish(self, child: Child, seconds: float = 300.0) -> None:
        """Waits for a command. A bad end stops the platform, with the command's last lines as the reason."""
        self.wait(lambda: child.code is not None, seconds, f"{child.program.name} did not end.")
        del self.children[child.program.name]
        child.drain()
        if child.code:
            for line in child.last_lines:
                self.console.line(child.program.name, line)
            raise CannotStartError(f"{child.program.name} failed: its last lines are above.")

    def wait(self, true: Callable[[], bool], seconds: float, otherwise: str) -> None:
        """Waits for something to become true, and meanwhile picks up services that fall."""
        deadline = time.monotonic() + seconds
        while not true():
            if self.stopping:
                raise StoppingError
            if time.monotonic() > deadline:
                raise CannotStartError(otherwise)
            self.tend()
            time.sleep(GLANCE_SECONDS)

    def tend(self) -> None:
        for child in self.children.values():
            if child.lasting and (news := child.tend()):
                self.console.say(news)

    def watch(self) -> None:
        while not self.stopping:
            self.tend()
            time.sleep(WATCH_SECONDS)

    def stop(self) -> None:
        """Everybody is asked; whoever does not go in time is killed, with all it started."""
        commands = tuple(name for name, child in self.children.items() if not child.lasting)
        for names, seconds in ((commands, 1.0), *FAREWELLS):
            leaving = [child for name, child in self.children.items() if name in names]
            for child in leaving:
                child.ask_to_end()
            deadline = time.monotonic() + seconds
            while any(child.code is None for child in leaving) and time.monotonic() < deadline:
                time.sleep(GLANCE_SECONDS)
            for child in leaving:
                child.kill()
                child.drain()
