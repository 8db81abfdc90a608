import pytest

from tests.conftest import Shop
from tests.wire.endpoints import World, world_of


@pytest.fixture
def world(power_bank: Shop) -> World:
    return world_of(power_bank)
