"""Schemathesis reads our description, and asks for what it promises and for what it forbids, with a good key."""

import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, openapi
from schemathesis.core import NotSet

from tests.api import Api
from tests.conftest import make_shop
from tests.hostile.judge import Judge, described
from tests.kills.house import tally
from tests.wire.endpoints import World, world_of

#: `make evidence-hostile` asks for twenty thousand.
CASES = int(os.environ.get("HOSTILE_SCHEMA", "100"))
SEED = int(os.environ.get("HOSTILE_SEED", "20261125"))
#: An order that is closed refuses everything: now and then there are new ones.
FRESH_EVERY = 100
NAMES = {
    "order": ("open", "completed"),
    "agreement": ("agreement", "pending"),
    "service": ("service",),
    "person": ("person",),
    "settlement": ("settlement",),
}
SCHEMA = openapi.from_dict(described())
OPERATIONS = {result.ok().definition.raw["operationId"]: result.ok() for result in SCHEMA.get_all_operations()}
DEFAULTS = settings(
    max_examples=max(CASES // (2 * len(OPERATIONS)), 2),
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Worlds:
    """A merchant with one of everything, made anew now and then."""

    def __init__(self, world: World) -> None:
        self.asked, self.world = 0, world

    def now(self) -> World:
        if self.asked and self.asked % FRESH_EVERY == 0:
            self.world = world_of(make_shop(f"店 {self.asked}"))
        self.asked += 1
        return self.world


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    judge = Judge()
    yield judge
    tally(f"B1 schemathesis: {judge.told()}")


def real(world: World, names: dict[str, Any], dice: Any) -> dict[str, Any]:
    """The same names, two in three of them of something that is there."""
    return {
        name: getattr(world, dice.choice(NAMES[name])) if name in NAMES and dice.randrange(3) else value
        for name, value in names.items()
    }


def ask(api: Api, case: Case, world: World, dice: Any) -> tuple[str, Any, Any]:
    """Send a case as it is, with what stands in it of the world's."""
    path = case.path
    for name, value in real(world, case.path_parameters or {}, dice).items():
        path = path.replace(
            f"{{{name}}}", str(value).replace("/", "%2F").replace("?", "%3F").replace("#", "%23") or "-"
        )
    query = f"?{urlencode(case.query, doseq=True, errors='replace')}" if case.query else ""
    body = b"" if isinstance(case.body, NotSet) else dumped(case.body, world, dice)
    headers = {f"HTTP_{name.upper().replace('-', '_')}": str(value) for name, value in (case.headers or {}).items()}
    headers.pop("HTTP_AUTHORIZATION", None)
    return path, body, api.call(case.method, path.removeprefix("/v1/") + query, body, **headers)


def dumped(body: Any, world: World, dice: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return json.dumps(real(world, body, dice) if isinstance(body, dict) else body).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_whatever_the_description_makes_one_ask_is_answered_by_it(
    world: World, judge: Judge, name: str, mode: GenerationMode
) -> None:
    worlds = Worlds(world)
    operation = OPERATIONS[name]
    cases = operation.as_strategy(generation_mode=mode)

    @seed(SEED)
    @DEFAULTS
    @given(case=cases, dice=st.randoms(use_true_random=False))
    def asked(case: Case, dice: Any) -> None:
        world = worlds.now()
        _path, body, response = ask(world.api, case, world, dice)
        judge.look(case.method, case.path, response, body)

    asked()
