"""Without the broker or the database a page says so, and when to come back."""

from typing import Any

import pytest
import redis
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client

from orders import record
from tests.conftest import Shop, someone
from tests.visiting import visiting


def test_signing_in_without_the_cache_is_503_and_not_a_fault(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: Any, **_kwargs: Any) -> None:
        raise redis.ConnectionError("connection refused")

    for verb in ("get", "set", "add", "incr", "get_many", "set_many"):
        monkeypatch.setattr(type(cache._connections[cache._alias]), verb, away)  # type: ignore[attr-defined]  # noqa: SLF001

    answer = Client().post("/account/login/", {"login": "+8613800138000"})

    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert "暂时无法处理" in answer.content.decode()


def test_a_page_without_the_database_is_503(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError("the server is starting up")

    monkeypatch.setattr(record, "look_through", away)

    answer = visiting(someone(power_bank)).get("/orders/")

    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
