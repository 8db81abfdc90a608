from collections.abc import Iterator

import pytest
from django.core.cache import cache

from kernel.models import Realm
from tests.accounts.browser import Browser


@pytest.fixture(autouse=True)
def _no_limit_used_up() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def sandbox(db: None) -> Realm:
    return Realm.objects.create(mode="test")


@pytest.fixture
def browser(db: None) -> Browser:
    return Browser()
