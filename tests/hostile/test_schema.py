"""Schemathesis tests the OpenAPI document with valid and invalid requests and a valid key."""

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
from tests.hostile.response_checker import ResponseChecker, load_openapi
from tests.kills.running_stack import print_result
from tests.wire.endpoints import World, world_of

#: `make evidence-hostile` asks for twenty thousand.
CASES = int(os.environ.get("HOSTILE_SCHEMA", "100"))
SEED = int(os.environ.get("HOSTILE_SEED", "20261125"))
#: A closed order refuses everything, so new data is created now and then.
FRESH_EVERY = 100
NAMES = {
    "order": ("open", "completed"),
    "agreement": ("agreement", "pending"),
    "service": ("service",),
    "person": ("person",),
    "settlement": ("settlement",),
}
SCHEMA = openapi.from_dict(load_openapi())
OPERATIONS = {result.ok().definition.raw["operationId"]: result.ok() for result in SCHEMA.get_all_operations()}
DEFAULTS = settings(
    max_examples=max(CASES // (2 * len(OPERATIONS)), 2),
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class WorldPool:
    """A merchant with one of everything, recreated every `FRESH_EVERY` requests."""

    def __init__(self, world: World) -> None:
        self.asked, self.world = 0, world

    def now(self) -> World:
        if self.asked and self.asked % FRESH_EVERY == 0:
            self.world = world_of(make_shop(f"店 {self.asked}"))
        self.asked += 1
        return self.world


@pytest.fixture(scope="module")
def checker() -> Iterator[ResponseChecker]:
    checker = ResponseChecker()
    yield checker
    print_result(f"B1 schemathesis: {checker.summary()}")


def with_real_ids(world: World, names: dict[str, Any], dice: Any) -> dict[str, Any]:
    """The same names, two of three with ids of existing objects."""
    return {
        name: getattr(world, dice.choice(NAMES[name])) if name in NAMES and dice.randrange(3) else value
        for name, value in names.items()
    }


def send_case(api: Api, case: Case, world: World, dice: Any) -> tuple[str, Any, Any]:
    """Send a case, with ids of existing objects filled in."""
    path = case.path
    for name, value in with_real_ids(world, case.path_parameters or {}, dice).items():
        path = path.replace(
            f"{{{name}}}", str(value).replace("/", "%2F").replace("?", "%3F").replace("#", "%23") or "-"
        )
    query = f"?{urlencode(case.query, doseq=True, errors='replace')}" if case.query else ""
    body = b"" if isinstance(case.body, NotSet) else encode_body(case.body, world, dice)
    headers = {f"HTTP_{name.upper().replace('-', '_')}": str(value) for name, value in (case.headers or {}).items()}
    headers.pop("HTTP_AUTHORIZATION", None)
    return path, body, api.call(case.method, path.removeprefix("/v1/") + query, body, **headers)


def encode_body(body: Any, world: World, dice: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return json.dumps(with_real_ids(world, body, dice) if isinstance(body, dict) else body).encode(
        "utf-8", "surrogatepass"
    )


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_whatever_the_description_makes_one_ask_is_answered_by_it(
    world: World, checker: ResponseChecker, name: str, mode: GenerationMode
) -> None:
    worlds = WorldPool(world)
    operation = OPERATIONS[name]
    cases = operation.as_strategy(generation_mode=mode)

    @seed(SEED)
    @DEFAULTS
    @given(case=cases, dice=st.randoms(use_true_random=False))
    def asked(case: Case, dice: Any) -> None:
        world = worlds.now()
        _path, body, response = send_case(world.api, case, world, dice)
        checker.check(case.method, case.path, response, body)

    asked()
