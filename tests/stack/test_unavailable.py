"""Without the broker or the database, pages respond with 503 and Retry-After."""

from typing import Any

import pytest
import redis
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client

from orders import order_history
from tests.browsing import client_for
from tests.conftest import Shop, make_person


def test_signing_in_without_the_cache_is_503(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise redis.ConnectionError("connection refused")

    for verb in ("get", "set", "add", "incr", "get_many", "set_many"):
        monkeypatch.setattr(type(cache._connections[cache._alias]), verb, fail)  # type: ignore[attr-defined]  # noqa: SLF001

    answer = Client().post("/account/login/", {"login": "+8613800138000"})

    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert "暂时无法处理" in answer.content.decode()


def test_a_page_without_the_database_is_503(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError("the server is starting up")

    monkeypatch.setattr(order_history, "search_orders", fail)

    answer = client_for(make_person(power_bank)).get("/orders/")

    assert (answer.status_code, answer["Retry-After"]) == (503, "2")


def test_a_missing_page_without_the_database_is_503(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_for(make_person(power_bank))
    assert client.get("/nothing").status_code == 404

    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError("the server is starting up")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", fail)
        answer = client.get("/nothing")

    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
