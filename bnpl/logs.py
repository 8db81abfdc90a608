"""One line for each thing that happened: JSON for machines in production, readable on a developer's screen."""

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any

import redis
import structlog
from django.db import Error
from structlog.typing import Processor

from kernel import log_context
from kernel.database_trouble import said_first

SHARED: list[Processor] = [
    log_context.merge,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class ToldElsewhere(logging.Filter):
    """Django would write a line for each 503 of a probe, one a second or more: bnpl.health tells of changes.

    And for each refusal of the API one with the path as the caller wrote it: kernel.request_log writes its own.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path", "")
        return path not in {"/healthz", "/readyz"} and not path.startswith(("/v1/", "/channels/"))


#: Who tells of each try while the broker is away.
_LOOKING_FOR_IT = ("celery.worker.consumer.consumer", "kombu.asynchronous.hub", "kombu.transport.redis")


class BrokerAway(logging.Filter):
    """While the broker is away or takes nothing, each ring and each look for it would leave a stack or two, gigabytes
    in a night: one line says it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        exc = record.exc_info[1] if record.exc_info else None
        if str(record.msg).startswith("Message Error") and isinstance(record.args, tuple):
            record.msg, record.args, record.exc_info = "Message Error: %s", record.args[:1], None
        elif isinstance(exc, redis.RedisError):
            told = record.getMessage()
            record.msg, record.args, record.exc_info = "%s (%s)", (told, type(exc).__name__), None
        return True


def configure(*, readable: bool, level: str) -> dict[str, Any]:
    """Sets structlog up and returns Django's LOGGING, so that both write the same lines to the same place."""
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *renderers(readable=readable),
                ],
            }
        },
        "filters": {"told_elsewhere": {"()": ToldElsewhere}, "broker_away": {"()": BrokerAway}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Each tick of beat would otherwise leave four lines a second and hide what matters.
            "celery.beat": {"level": "WARNING", "filters": ["broker_away"]},
            **{name: {"filters": ["broker_away"]} for name in _LOOKING_FOR_IT},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            # It tells of each sign of a paper that is made: of what stands on it, and of nothing else.
            "fontTools": {"level": "WARNING"},
            "django.request": {"filters": ["told_elsewhere"]},
            "django.server": {"handlers": [], "propagate": True},
        },
    }


#: How phones and mail addresses look, in words that were written elsewhere: a sender's, a mail server's.
_REACHES = re.compile(r"\+\d{7,15}\b|[\w.%+-]+@[\w-]+(?:\.[\w-]+)+")


def whole(exc: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it came of."""
    seen = set[int]()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__ or exc.__context__


def nobodys(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A fault's lines name nobody: not the row that PostgreSQL would not take, nor where a message was to go."""
    given = line.get("exc_info")
    exc = given[1] if isinstance(given, tuple) else given if isinstance(given, BaseException) else sys.exception()
    if not given or exc is None:
        return line
    line = structlog.processors.format_exc_info(_logger, _name, line)
    for one in whole(exc):
        if isinstance(one, Error):
            for text in (str(one), str(one).strip(), repr(str(one))[1:-1]):
                line = {key: _without(value, text, said_first(one)) for key, value in line.items()}
    return {key: _REACHES.sub("…", value) if key in _WORDS else value for key, value in line.items()}


#: What of a fault's line is somebody's words, and no name or time of ours.
_WORDS = ("exception", "event")


def _without(value: Any, text: str, first: str) -> Any:
    return value.replace(text, first) if isinstance(value, str) and text else value


def renderers(*, readable: bool) -> list[Processor]:
    if readable:
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    return [nobodys, structlog.processors.JSONRenderer(ensure_ascii=False)]
