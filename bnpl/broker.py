"""Celery's connection to the broker: quick to reconnect, and no malformed message ends a worker."""

from typing import Any

import kombu
import structlog
from celery.app.amqp import AMQP
from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default
from kombu.transport import redis
from redis.exceptions import ConnectionError as BrokerConnectionError
from redis.exceptions import ResponseError

#: Celery's own pauses between tries grow to half a minute, for which all due work would wait.
RETRY_INTERVAL_MAX_SECONDS = 2
#: What decoding something that is not a Celery message may raise. A lost connection raises none of these.
DECODE_ERRORS = (ValueError, TypeError, LookupError, RecursionError)
#: The key written to find out whether the broker accepts writes.
WRITE_PROBE_KEY = "bnpl:line"
log = structlog.get_logger(__name__)


class Channel(redis.Channel):
    # An unprocessed trigger is sent again in its next period; restoring it over a broken connection cannot work.
    do_restore = False
    # Of several queues, the one named first is emptied first.
    queue_order_strategy = "priority"

    def _connparams(self, *args: Any, **kwargs: Any) -> Any:
        """Treat an acknowledgement after the connection closed as a lost connection.

        Raises:
            BrokerConnectionError: the connection is closed. The worker reconnects; an AttributeError would end it.
        """
        if self.connection is None or self.connection.client is None:
            raise BrokerConnectionError("The connection is closed.")
        return super()._connparams(*args, **kwargs)  # type: ignore[misc]  # its stubs leave it out

    def _brpop_read(self, **options: Any) -> Any:
        """Drop what cannot be decoded, which has left the queue already; the next message is read as usual."""
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # the same
        except DECODE_ERRORS:
            log.exception("rubbish_on_the_queue")
            return True


class Transport(redis.Transport):
    Channel = Channel

    def establish_connection(self) -> Any:
        """Connect and write a probe: a broker that is full or read-only counts as unavailable.

        Raises:
            BrokerConnectionError: it accepts no writes. Celery retries with pauses instead of failing at each task.
        """
        connection: Any = super().establish_connection()
        try:
            connection._avail_channels[-1].client.set(WRITE_PROBE_KEY, 1, px=1)  # noqa: SLF001  no public way to it
        except ResponseError as error:
            self.close_connection(connection)
            raise BrokerConnectionError(str(error)) from error
        return connection


class Connection(kombu.Connection):
    def get_transport_cls(self) -> Any:
        transport = super().get_transport_cls()
        return Transport if transport is redis.Transport else transport

    def ensure_connection(self, *args: Any, **kwargs: Any) -> kombu.Connection:  # type: ignore[override]
        return super().ensure_connection(*args, **{"interval_max": RETRY_INTERVAL_MAX_SECONDS} | kwargs)


class BrokerAMQP(AMQP):
    Connection = Connection


def strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Any:
    """Celery's default strategy for our tasks (`bnpl.scheduled_tasks.ScheduledTask`), after a check of the message.

    A message that made the strategy fail would stay in the broker and fail in the next worker five minutes later.
    """
    handle = default(task, app, consumer, **options)

    def checked(message: Any, *rest: Any) -> Any:
        if not isinstance(message.payload, list):
            raise InvalidTaskError("The message's body is not a list.")
        return handle(message, *rest)

    return checked
