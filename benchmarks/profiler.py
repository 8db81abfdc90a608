"""A sampling profiler (one sample a millisecond) that writes flame graphs: docs/pictures/flames-*.svg.

The time since the last sample is attributed to the current stack. Waiting for the database counts for the caller.
"""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from benchmarks.charts import flame_graph

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
EVERY = 0.001
#: Frames that are left out: wrappers that do nothing themselves.
_BETWEEN = (
    "handlers/exception.py",
    "utils/deprecation.py",
    "contextlib.py",
    "codecs.py",
    "asgiref/",
    "utils/asyncio.py",
)
_ROOT, _PYTHON = f"{Path(__file__).parent.parent}/", f"python{sys.version_info[0]}.{sys.version_info[1]}/"


@dataclass(slots=True)
class FlameNode:
    """A function, its sampled time, and the functions it called."""

    name: str
    seconds: float = 0.0
    below: dict[str, "FlameNode"] = field(default_factory=dict)

    def add_sample(self, stack: list[str], seconds: float) -> None:
        self.seconds += seconds
        if stack:
            self.below.setdefault(stack[0], FlameNode(stack[0])).add_sample(stack[1:], seconds)


@contextmanager
def profiled(name: str, *, beside: str = "") -> Iterator[FlameNode]:
    """Profile the block, and beside it the thread of this name."""
    root, last, here = FlameNode(name), time.perf_counter(), sys._getframe(2).f_code  # noqa: SLF001  whoever is watched
    sampling = False

    def sample(_signal: int, frame: FrameType | None) -> None:
        nonlocal last, sampling
        if sampling:  # the next signal came before this sample was done
            return
        sampling, now = True, time.perf_counter()
        root.add_sample(stack_of(frame, here), now - last)
        if beside:
            root.add_sample([f"a thread, {beside}", *stack_of(_thread(beside), None)], now - last)
        last, sampling = now, False

    before = signal.signal(signal.SIGALRM, sample)
    signal.setitimer(signal.ITIMER_REAL, EVERY, EVERY)
    try:
        yield root
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _thread(name: str) -> FrameType | None:
    """The current frame of the thread with this name."""
    ident = next((one.ident for one in threading.enumerate() if one.name == name), None)
    return sys._current_frames().get(ident or 0)  # noqa: SLF001  nobody else tells


def stack_of(frame: FrameType | None, until: object) -> list[str]:
    """The functions from the profiled block to the innermost one, without wrappers."""
    names: list[str] = []
    while frame is not None and frame.f_code is not until:
        path = frame.f_code.co_filename
        if not any(step in path for step in _BETWEEN):
            names.append(f"{short(path)} {frame.f_code.co_name}")
        frame = frame.f_back
    return names[::-1]


def short(path: str) -> str:
    """A module's path: ours relative to the project, others from their package."""
    for root in ("site-packages/", _PYTHON):
        path = path.rpartition(root)[2]
    return path.removeprefix(_ROOT).removesuffix(".py")


def save_flame_graph(flame: FlameNode, each: str) -> None:
    picture = flame_graph(f"{flame.name}: {each}", flame)
    (PICTURES / f"flames-{flame.name}.svg").write_text(picture, encoding="utf-8")
    print(f"    {flame.name}: {each}", flush=True)
