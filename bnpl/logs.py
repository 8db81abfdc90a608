"""Logging: one line for each event, as JSON in production and readable on a developer's terminal."""

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
from kernel.database_errors import primary_message

SHARED_PROCESSORS: list[Processor] = [
    log_context.merge_tags,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
# One list for good: loggers keep the one they were configured with, and a test captures by changing it in place.
_PROCESSORS: list[Processor] = [*SHARED_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]


class LoggedElsewhereFilter(logging.Filter):
    """Drops Django's lines about probes and API requests, which are logged elsewhere.

    Django would log each 503 of a probe, one a second or more, where bnpl.health logs changes. And it would log each
    refusal of the API with the path as the client sent it, where kernel.request_log logs its own line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path", "")
        return path not in {"/healthz", "/readyz"} and not path.startswith(("/v1/", "/channels/"))


#: Loggers that report each reconnection attempt while the broker is unavailable.
_RECONNECTING_LOGGERS = ("celery.worker.consumer.consumer", "kombu.asynchronous.hub", "kombu.transport.redis")


class BrokerErrorFilter(logging.Filter):
    """Shortens broker errors to one line: while the broker is unavailable, each trigger and each reconnection attempt
    would log a stack trace or two, gigabytes in a night.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        exc = record.exc_info[1] if record.exc_info else None
        if str(record.msg).startswith("Message Error") and isinstance(record.args, tuple):
            record.msg, record.args, record.exc_info = "Message Error: %s", record.args[:1], None
        elif isinstance(exc, redis.RedisError):
            message = record.getMessage()
            record.msg, record.args, record.exc_info = "%s (%s)", (message, type(exc).__name__), None
        return True


class ForeignHostFilter(logging.Filter):
    """Shortens Django's error about a Host header that is not ours: anybody can send one, with any text in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args, record.exc_info = "Foreign Host header", (), None
        return True


def configure_logging(*, readable: bool, level: str) -> dict[str, Any]:
    """Configure structlog and return Django's LOGGING, so that both write the same lines to the same place."""
    structlog.configure(
        processors=_PROCESSORS,
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
                "foreign_pre_chain": SHARED_PROCESSORS,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *build_renderers(readable=readable),
                ],
            }
        },
        "filters": {
            "logged_elsewhere": {"()": LoggedElsewhereFilter},
            "broker_errors": {"()": BrokerErrorFilter},
            "foreign_hosts": {"()": ForeignHostFilter},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Beat would otherwise log four lines a second.
            "celery.beat": {"level": "WARNING", "filters": ["broker_errors"]},
            **{name: {"filters": ["broker_errors"]} for name in _RECONNECTING_LOGGERS},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            # It logs each glyph of a PDF that is made, and so its text.
            "fontTools": {"level": "WARNING"},
            "django.request": {"filters": ["logged_elsewhere"]},
            "django.security.DisallowedHost": {"filters": ["foreign_hosts"]},
            "django.server": {"handlers": [], "propagate": True},
        },
    }


#: Phone numbers and email addresses, in texts of others: of a message sender, of a mail server. A number is written
#: with its plus, or as digits alone, or in the groups of a Chinese mobile number.
_CONTACT = re.compile(
    r"[\w.%+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\+\d(?:[ ().-]{0,2}\d){6,14}\b"
    r"|(?<![\w.])\d{10,15}\b"
    r"|(?<![\w.])(?:(?:00)?86[ -]?)?1[3-9]\d[ -]\d{4}[ -]\d{4}\b"
)


def exception_chain(exc: BaseException | None) -> Iterator[BaseException]:
    """An exception and its causes."""
    seen = set[int]()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__ or exc.__context__


def redact_exceptions(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Remove personal data from a line about an exception: row values in database errors, phones and addresses."""
    info = line.get("exc_info")
    exc = info[1] if isinstance(info, tuple) else info if isinstance(info, BaseException) else sys.exception()
    if not info or exc is None:
        return line
    line = structlog.processors.format_exc_info(_logger, _name, line)
    for error in exception_chain(exc):
        if isinstance(error, Error):
            for text in (str(error), str(error).strip(), repr(str(error))[1:-1]):
                line = {key: _replace_text(value, text, primary_message(error)) for key, value in line.items()}
    return {key: _CONTACT.sub("…", value) if key in _FREE_TEXT else value for key, value in line.items()}


#: The keys of a line that hold free text, and no name or time of ours.
_FREE_TEXT = ("exception", "event")


def _replace_text(value: Any, old: str, new: str) -> Any:
    return value.replace(old, new) if isinstance(value, str) and old else value


def build_renderers(*, readable: bool) -> list[Processor]:
    if readable:
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    return [redact_exceptions, structlog.processors.JSONRenderer(ensure_ascii=False)]
