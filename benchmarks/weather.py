"""How two things are compared fairly on a machine whose speed drifts: in turn, in one run, with the CPU each burnt."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

QUICK = os.environ.get("QUICK") == "1"
ROUNDS = int(os.environ.get("ROUNDS") or (2 if QUICK else 5))
SECONDS = float(os.environ.get("SECONDS_EACH") or (1.5 if QUICK else 4.0))
_TICK = os.sysconf("SC_CLK_TCK")


def sized(whole: int, quick: int) -> int:
    """How many of something there are, in a full run and in a quick look."""
    return quick if QUICK else whole


@dataclass(frozen=True, slots=True)
class Work:
    """What a side did in a round: how many units, in how many seconds, and the CPU seconds of each program."""

    units: int
    seconds: float
    cpu: Mapping[str, float]

    @property
    def pace(self) -> float:
        return self.units / self.seconds

    def cpu_each(self) -> float:
        """Seconds of CPU for a unit, of all programs together."""
        return sum(self.cpu.values()) / max(self.units, 1)

    def __str__(self) -> str:
        each = (f"{name} {1000 * spent / max(self.units, 1):.2f}" for name, spent in self.cpu.items())
        return f"{self.pace:,.0f}/s, ms of CPU for each: {', '.join(each)}"


def in_turn(sides: Mapping[str, Callable[[], Work]], rounds: int = ROUNDS) -> dict[str, list[Work]]:
    """Each side once a round, begun by another each time."""
    names, done = list(sides), {name: list[Work]() for name in sides}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            done[name].append(sides[name]())
            print(f"    round {number + 1}, {name}: {done[name][-1]}", flush=True)
    return done


def paces(done: Mapping[str, Sequence[Work]]) -> dict[str, list[float]]:
    return {name: [work.pace for work in works] for name, works in done.items()}


def measured(act: Callable[[], int], programs: Mapping[str, int]) -> Work:
    """Do it, and say how many units that were, how long it took and what the programs, by their pids, burnt."""
    before, began = {name: burnt(pid) for name, pid in programs.items()}, time.perf_counter()
    units = act()
    seconds = time.perf_counter() - began
    return Work(units, seconds, {name: burnt(pid) - before[name] for name, pid in programs.items()})


def burnt(pid: int) -> float:
    """CPU seconds of a program and all that it started and that still run, or that it has waited for; 0 is this one."""
    return time.process_time() if pid == 0 else sum(_own(one) for one in family(pid)) / _TICK


def family(pid: int) -> list[int]:
    try:
        words = [
            word
            for task in Path(f"/proc/{pid}/task").iterdir()
            for word in (task / "children").read_text(encoding="ascii").split()
        ]
    except OSError:
        return [pid]
    return [pid, *(one for child in words for one in family(int(child)))]


def resident(pid: int) -> float:
    """MB that one process holds in memory."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = next((line for line in text.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0 kB")
    return int(found.split()[1]) / 1024


def _own(pid: int) -> int:
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, words[11:15]))
