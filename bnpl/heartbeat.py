"""The worker's heartbeat: one key in the broker, which expires ten seconds after the last beat."""

from datetime import timedelta

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

KEY = "bnpl:worker:heartbeat"
TTL_SECONDS = 10
INTERVAL_SECONDS = 2.0
TIMEOUT_SECONDS = 0.5


def connect_broker() -> redis.Redis:
    """A connection that gives up within a second: probes and heartbeats must not wait for an unavailable broker."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def beat(connection: redis.Redis, worker: str) -> None:
    connection.set(KEY, worker, ex=TTL_SECONDS)


def is_beating(connection: redis.Redis) -> bool:
    return bool(connection.exists(KEY))


def heartbeat_age(connection: redis.Redis) -> timedelta:
    """The time since the last beat; once the key has expired, its whole lifetime."""
    remaining_ms = max(connection.pttl(KEY), 0)
    return timedelta(seconds=TTL_SECONDS) - timedelta(milliseconds=remaining_ms)
