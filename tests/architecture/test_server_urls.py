"""URLs of Valkey: one database each for broker and cache, with password and options, as each client spells them."""

import pytest
import redis
from kombu import Connection

from bnpl.env import celery_broker_url, next_database_url


def test_broker_and_cache_live_in_different_databases() -> None:
    assert next_database_url("redis://h:1/3") == "redis://h:1/4"
    assert next_database_url("redis://h:1") == "redis://h:1/1"
    assert next_database_url("unix:///run/v.sock?db=0") == "unix:///run/v.sock?db=1"
    assert celery_broker_url("unix:///run/v.sock?db=0") == "redis+socket:///run/v.sock?virtual_host=0"
    assert celery_broker_url("redis://h:1/3") == "redis://h:1/3"


def test_the_url_of_a_unix_socket_keeps_its_user_password_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "unix://me:se%2Fcret@/run/v.sock?db=2&socket_timeout=3"
    assert next_database_url(url) == "unix://me:se%2Fcret@/run/v.sock?db=3&socket_timeout=3"
    broker = celery_broker_url(url)
    assert broker == "redis+socket://me:se%2Fcret@/run/v.sock?virtual_host=2&socket_timeout=3"
    monkeypatch.setattr(redis.Redis, "ping", lambda _self: True)
    options = Connection(broker).channel()._connparams()  # noqa: SLF001  what kombu passes to redis-py
    assert (options["username"], options["password"], options["path"]) == ("me", "se/cret", "/run/v.sock")
