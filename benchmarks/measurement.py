"""Measures two sides in turn in one run, with the CPU time of each, since a machine's speed drifts."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

QUICK = os.environ.get("QUICK") == "1"
ROUNDS = int(os.environ.get("ROUNDS") or (2 if QUICK else 5))
SECONDS = float(os.environ.get("SECONDS_EACH") or (1.5 if QUICK else 4.0))
_TICK = os.sysconf("SC_CLK_TCK")


def scaled(whole: int, quick: int) -> int:
    """A size for a full run, or a smaller one with QUICK=1."""
    return quick if QUICK else whole


@dataclass(frozen=True, slots=True)
class Measurement:
    """A side's round: its units, its seconds, and the CPU seconds of each program."""

    units: int
    seconds: float
    cpu: Mapping[str, float]

    @property
    def rate(self) -> float:
        return self.units / self.seconds

    def cpu_each(self) -> float:
        """CPU seconds for one unit, over all programs."""
        return sum(self.cpu.values()) / max(self.units, 1)

    def __str__(self) -> str:
        each = (f"{name} {1000 * spent / max(self.units, 1):.2f}" for name, spent in self.cpu.items())
        return f"{self.rate:,.0f}/s, ms of CPU for each: {', '.join(each)}"


def run_in_turn(sides: Mapping[str, Callable[[], Measurement]], rounds: int = ROUNDS) -> dict[str, list[Measurement]]:
    """Run each side once a round, starting with another one each time."""
    names, done = list(sides), {name: list[Measurement]() for name in sides}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            done[name].append(sides[name]())
            print(f"    round {number + 1}, {name}: {done[name][-1]}", flush=True)
    return done


def rates_by_side(done: Mapping[str, Sequence[Measurement]]) -> dict[str, list[float]]:
    return {name: [work.rate for work in measurements] for name, measurements in done.items()}


def measure(act: Callable[[], int], programs: Mapping[str, int]) -> Measurement:
    """Run `act`, which returns its units, and measure its time and the CPU time of the programs by their pids."""
    before, started = {name: cpu_seconds(pid) for name, pid in programs.items()}, time.perf_counter()
    units = act()
    seconds = time.perf_counter() - started
    return Measurement(units, seconds, {name: cpu_seconds(pid) - before[name] for name, pid in programs.items()})


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process and its children, running or waited for; pid 0 is this process."""
    return time.process_time() if pid == 0 else sum(_own(one) for one in process_tree(pid)) / _TICK


def process_tree(pid: int) -> list[int]:
    try:
        words = [
            word
            for task in Path(f"/proc/{pid}/task").iterdir()
            for word in (task / "children").read_text(encoding="ascii").split()
        ]
    except OSError:
        return [pid]
    return [pid, *(one for child in words for one in process_tree(int(child)))]


def resident_mb(pid: int) -> float:
    """A process's resident memory in MB."""
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
