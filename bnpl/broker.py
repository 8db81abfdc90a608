"""The line to the broker: found again soon after it was lost, and no rubbish on it ends a worker."""

from typing import Any

import kombu
import structlog
from celery.app.amqp import AMQP
from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default
from kombu.transport import redis
from redis.exceptions import ConnectionError as LostLineError
from redis.exceptions import ResponseError

#: Celery's own pauses grow to half a minute, in which all that is due would wait for nothing.
PAUSE_MAX_SECONDS = 2
#: What reading something that is no message of Celery's may raise. A lost line raises none of these.
RUBBISH = (ValueError, TypeError, LookupError, RecursionError)
#: What is written to see whether anything may be.
TRIED = "bnpl:line"
log = structlog.get_logger(__name__)


class Channel(redis.Channel):
    # A bell nobody has answered is rung again by its next tick; to hand it back over a line that breaks cannot work.
    do_restore = False
    # Of several queues the one named first is emptied first.
    queue_order_strategy = "priority"

    def _connparams(self, *args: Any, **kwargs: Any) -> Any:
        """A task that ends just after the line was lost finds no line to say so on. That too is a lost line.

        Raises:
            LostLineError: the worker looks for its broker, where an AttributeError would end it.
        """
        if self.connection is None or self.connection.client is None:
            raise LostLineError("The line is closed.")
        return super()._connparams(*args, **kwargs)  # type: ignore[misc]  # its stubs leave it out

    def _brpop_read(self, **options: Any) -> Any:
        """What is no message at all has left the queue already, and is dropped; the next one is read as usual."""
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # the same
        except RUBBISH:
            log.exception("rubbish_on_the_queue")
            return True


class Transport(redis.Transport):
    Channel = Channel

    def establish_connection(self) -> Any:
        """A broker that answers and takes nothing, as it is full or may only be read, is one that is away.

        Raises:
            LostLineError: it is looked for again, with pauses, where each try to work with it would end at once.
        """
        line: Any = super().establish_connection()
        try:
            line._avail_channels[-1].client.set(TRIED, 1, px=1)  # noqa: SLF001  its own, made to try the line
        except ResponseError as refused:
            self.close_connection(line)
            raise LostLineError(str(refused)) from refused
        return line


class Connection(kombu.Connection):
    def get_transport_cls(self) -> Any:
        found = super().get_transport_cls()
        return Transport if found is redis.Transport else found

    def ensure_connection(self, *args: Any, **kwargs: Any) -> kombu.Connection:  # type: ignore[override]
        return super().ensure_connection(*args, **{"interval_max": PAUSE_MAX_SECONDS} | kwargs)


class Line(AMQP):
    Connection = Connection


def strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Any:
    """Celery's own way from a message to a task of ours (`bnpl.rings.Ring`), behind a look at the message's shape.

    A message that breaks this way would stay with the broker, and break the next worker five minutes later.
    """
    handle = default(task, app, consumer, **options)

    def careful(message: Any, *rest: Any) -> Any:
        if not isinstance(message.payload, list):
            raise InvalidTaskError("The message's body is not a list.")
        return handle(message, *rest)

    return careful
