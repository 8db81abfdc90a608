"""One line for each thing that happened: JSON for machines in production, readable on a developer's screen."""

import logging
from typing import Any

import structlog
from structlog.typing import Processor

from kernel import tags

SHARED: list[Processor] = [
    tags.merge,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class ToldElsewhere(logging.Filter):
    """Django would write a line for each 503 of a probe, one a second or more: bnpl.health tells of changes.

    And for each refusal of the API one with the path as the caller wrote it: kernel.requests writes its own.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path", "")
        return path not in {"/healthz", "/readyz"} and not path.startswith(("/v1/", "/channels/"))


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
        "filters": {"told_elsewhere": {"()": ToldElsewhere}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Each tick of beat would otherwise leave four lines a second and hide what matters.
            "celery.beat": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            # It tells of each sign of a paper that is made: of what stands on it, and of nothing else.
            "fontTools": {"level": "WARNING"},
            "django.request": {"filters": ["told_elsewhere"]},
            "django.server": {"handlers": [], "propagate": True},
        },
    }


def renderers(*, readable: bool) -> list[Processor]:
    if readable:
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
