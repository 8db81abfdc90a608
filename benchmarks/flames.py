"""Where the time of a create, a get and a sweep goes, as flames: `make bench-flames` draws docs/pictures/flames-*.svg.

Every millisecond it is looked at what runs, and the time since the look before is put down to it. What waits for the
database stands at the function that asked.
"""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

from django.test import Client

from benchmarks.crowd import Crowd
from benchmarks.pictures import flames
from benchmarks.sweeping import Sweeping, channel
from benchmarks.weather import sized

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
EVERY = 0.001
CREATES, GETS, OWED = sized(1_500, 60), sized(3_000, 120), sized(6_000, 200)
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
def watched(name: str) -> Iterator[Flame]:
    """What runs in here is looked at all the time."""
    root, last, here = Flame(name), time.perf_counter(), sys._getframe(2).f_code  # noqa: SLF001  whoever is watched
    looking = False

    def look(_signal: int, frame: FrameType | None) -> None:
        nonlocal last, looking
        if looking:  # the next look came before this one had ended
            return
        looking, now = True, time.perf_counter()
        root.seen(stack_of(frame, here), now - last)
        last, looking = now, False

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, EVERY, EVERY)
    try:
        yield root
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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


def repeated(name: str, act: Callable[[], object], times: int) -> None:
    """It is done until it is warm, and then so often while it is watched."""
    for _ in range(times // 10):
        act()
    with watched(name) as flame:
        for _ in range(times):
            act()
    kept(flame, f"{1000 * flame.seconds / times:.2f} ms each, waiting included")


def test_create_and_get(crowd: Crowd) -> None:
    client: Any = Client()
    key, made = {"HTTP_AUTHORIZATION": f"Bearer {crowd.secret}"}, []

    def create() -> None:
        number = f"O-{uuid4().hex[:24]}"
        wish = {"agreement": crowd.agreement(), "out_order_no": number, "title": "充电宝", "ceiling": 100}
        answer = client.post("/v1/orders", json.dumps(wish), "application/json", HTTP_IDEMPOTENCY_KEY=number, **key)
        assert answer.status_code == 201, answer.content
        made.append(answer.json()["id"])

    turns = count()

    def get() -> None:
        answer = client.get(f"/v1/orders/{made[next(turns) % len(made)]}", **key)
        assert answer.status_code == 200, answer.content

    repeated("create", create, CREATES)
    repeated("get", get, GETS)


def test_sweep(crowd: Crowd) -> None:
    sweep = Sweeping(crowd, OWED, 0)
    sweep()
    sweep.owe()
    with channel(0), watched("sweep") as flame:
        sweep.sweep()
    kept(flame, f"{1000 * flame.seconds / sweep.many:.2f} ms for each obligation, waiting included")
