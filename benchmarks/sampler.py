"""What runs, looked at every millisecond, and drawn as flames: docs/pictures/flames-*.svg.

The time since the look before is put down to what runs now. What waits for the database stands at the function that
asked.
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

from benchmarks.pictures import flames

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
EVERY = 0.001
#: Steps that everything passes on its way and that do nothing themselves.
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
class Flame:
    """A function, for how long it was seen, and what was seen below it."""

    name: str
    seconds: float = 0.0
    below: dict[str, "Flame"] = field(default_factory=dict)

    def seen(self, stack: list[str], seconds: float) -> None:
        self.seconds += seconds
        if stack:
            self.below.setdefault(stack[0], Flame(stack[0])).seen(stack[1:], seconds)


@contextmanager
def watched(name: str, *, beside: str = "") -> Iterator[Flame]:
    """What runs in here is looked at all the time; and what a thread of this name does meanwhile, drawn beside it."""
    root, last, here = Flame(name), time.perf_counter(), sys._getframe(2).f_code  # noqa: SLF001  whoever is watched
    looking = False

    def look(_signal: int, frame: FrameType | None) -> None:
        nonlocal last, looking
        if looking:  # the next look came before this one had ended
            return
        looking, now = True, time.perf_counter()
        root.seen(stack_of(frame, here), now - last)
        if beside:
            root.seen([f"a thread, {beside}", *stack_of(_thread(beside), None)], now - last)
        last, looking = now, False

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, EVERY, EVERY)
    try:
        yield root
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _thread(name: str) -> FrameType | None:
    """Where a thread of this name is."""
    ident = next((one.ident for one in threading.enumerate() if one.name == name), None)
    return sys._current_frames().get(ident or 0)  # noqa: SLF001  nobody else tells


def stack_of(frame: FrameType | None, until: object) -> list[str]:
    """From whoever is watched to the innermost function, without the steps between."""
    names: list[str] = []
    while frame is not None and frame.f_code is not until:
        path = frame.f_code.co_filename
        if not any(step in path for step in _BETWEEN):
            names.append(f"{short(path)} {frame.f_code.co_name}")
        frame = frame.f_back
    return names[::-1]


def short(path: str) -> str:
    """A module as one speaks of it: ours from the root of the house, others from their package."""
    for root in ("site-packages/", _PYTHON):
        path = path.rpartition(root)[2]
    return path.removeprefix(_ROOT).removesuffix(".py")


def kept(flame: Flame, each: str) -> None:
    picture = flames(f"{flame.name}: {each}", flame)
    (PICTURES / f"flames-{flame.name}.svg").write_text(picture, encoding="utf-8")
    print(f"    {flame.name}: {each}", flush=True)
