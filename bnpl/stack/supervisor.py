"""Starts programs, waits for them, restarts those that end unexpectedly, and stops all in the right order."""

import signal
import time
from collections.abc import Callable
from types import FrameType

from bnpl.stack.console import Console
from bnpl.stack.processes import ChildProcess, Program
from bnpl.stack.runtime_dirs import CannotStartError

POLL_SECONDS = 0.02
WATCH_SECONDS = 0.1
# The programs that use the database and the broker are stopped first. Names, and the seconds they are given.
STOP_ORDER = ((("beat", "web", "worker", "clerk", "courier"), 2.5), (("valkey", "postgres"), 10.0))


class StoppingError(Exception):
    """The user pressed Ctrl-C, or the system asked us to stop."""


class Supervisor:
    def __init__(self, console: Console) -> None:
        self.console = console
        self.children: dict[str, ChildProcess] = {}
        self.stopping = False

    def install_signal_handlers(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def start_service(self, program: Program) -> ChildProcess:
        child = ChildProcess(program, self.console.line, is_service=True)
        self.children[program.name] = child
        child.start()
        return child

    def start_command(self, program: Program) -> ChildProcess:
        """Start a program that ends by itself; its output is shown only if it fails."""
        child = ChildProcess(program, lambda _name, _line: None, is_service=False)
        self.children[program.name] = child
        child.start()
        return child

    def wait_for_command(self, child: ChildProcess, seconds: float = 300.0) -> None:
        """Wait for a command. If it fails, its last lines are shown and the stack stops."""
        self.wait_until(lambda: child.exit_code is not None, seconds, f"{child.program.name} did not end.")
        del self.children[child.program.name]
        child.drain()
        if child.exit_code:
            for line in child.last_lines:
                self.console.line(child.program.name, line)
            raise CannotStartError(f"{child.program.name} failed: its last lines are above.")

    def wait_until(self, condition: Callable[[], bool], seconds: float, message: str) -> None:
        """Wait for a condition, restarting services that end meanwhile.

        Raises:
            CannotStartError: it is not met in time.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if self.stopping:
                raise StoppingError
            if time.monotonic() > deadline:
                raise CannotStartError(message)
            self.restart_ended()
            time.sleep(POLL_SECONDS)

    def restart_ended(self) -> None:
        for child in self.children.values():
            if child.is_service and (message := child.restart_if_ended()):
                self.console.say(message)

    def watch(self) -> None:
        while not self.stopping:
            self.restart_ended()
            time.sleep(WATCH_SECONDS)

    def stop(self) -> None:
        """Ask all programs to stop, and kill those that do not in time, with everything they started."""
        commands = tuple(name for name, child in self.children.items() if not child.is_service)
        for names, seconds in ((commands, 1.0), *STOP_ORDER):
            stopping = [child for name, child in self.children.items() if name in names]
            for child in stopping:
                child.request_stop()
            deadline = time.monotonic() + seconds
            while any(child.exit_code is None for child in stopping) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            for child in stopping:
                child.kill()
                child.drain()
