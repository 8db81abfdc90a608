"""The worker's pulse: one key in the broker that outlives its last stroke by ten seconds."""

from datetime import timedelta

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

KEY = "bnpl:worker:heartbeat"
LASTS_SECONDS = 10
EVERY_SECONDS = 2.0
PATIENCE_SECONDS = 0.5


def broker() -> redis.Redis:
    """A connection that gives up within a second: a probe and a pulse must not wait for a broker that is gone."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=PATIENCE_SECONDS,
        socket_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def strike(connection: redis.Redis, worker: str) -> None:
    connection.set(KEY, worker, ex=LASTS_SECONDS)


def felt(connection: redis.Redis) -> bool:
    return bool(connection.exists(KEY))


def age(connection: redis.Redis) -> timedelta:
    """Since the last stroke; when none was felt for as long as one lasts, that long."""
    left = max(connection.pttl(KEY), 0)
    return timedelta(seconds=LASTS_SECONDS) - timedelta(milliseconds=left)
