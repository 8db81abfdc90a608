from collections.abc import Callable

import pytest

from tests.conftest import make_shop
from tests.wire.endpoints import World, world_of


@pytest.fixture(scope="module")
def _world(once: Callable[[Callable[[], World]], World]) -> World:
    return once(lambda: world_of(make_shop("来电充电宝")))


@pytest.fixture
def world(_world: World, db: None) -> World:
    return _world
