"""The Celery app: which job is triggered how often, and the worker's heartbeat. All state is in PostgreSQL."""

import logging.config
import os
from typing import Any

import structlog
from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun, worker_init
from django.conf import settings
from django.db import close_old_connections

from bnpl import gc_tuning
from bnpl.broker import BrokerAMQP
from bnpl.file_limits import raise_open_file_limit
from bnpl.heartbeat_step import HeartbeatStep
from kernel.log_context import set_tags
from kernel.transactions import close_leftover_transaction
from kernel.write_batching import discard_leftover_batch

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bnpl.settings")
#: Deductions never wait for other work: the worker consumes this queue alone.
MONEY_QUEUE = "celery"
#: Internal jobs, and jobs that call external services or take long. The clerk consumes both, internal jobs first.
HOUSE_QUEUE, SLOW_QUEUE = "house", "slow"
#: The courier's queue: however slow a merchant's endpoint is, it delays no other job.
WEBHOOKS_QUEUE = "webhooks"
QUEUES = (MONEY_QUEUE, HOUSE_QUEUE, SLOW_QUEUE, WEBHOOKS_QUEUE)
#: The shortest life of a trigger: a worker's clock may be ahead of beat's, and a worker may be busy.
EXPIRES_MIN_SECONDS = 15.0
log = structlog.get_logger(__name__)


def schedule_entry(period_seconds: float, task: str, *, queue: str = MONEY_QUEUE) -> dict[str, Any]:
    """An entry of the beat schedule. Its message carries the period, so that a job runs once a period however many
    beats there are (bnpl.scheduled_tasks).

    A message that no worker took within one and a half periods expires: messages do not pile up while none runs.
    """
    options = {
        "expires": max(period_seconds * 1.5, EXPIRES_MIN_SECONDS),
        "headers": {"every": period_seconds},
        "queue": queue,
    }
    return {"task": task, "schedule": period_seconds, "options": options}


SCHEDULE = {
    "deduct": schedule_entry(1.0, "billing.tasks.deduct_due"),
    "ask": schedule_entry(2.0, "billing.tasks.ask_unknown"),
    "overdue": schedule_entry(10.0, "billing.tasks.mark_overdue", queue=HOUSE_QUEUE),
    "days": schedule_entry(60.0, "billing.tasks.close_days", queue=HOUSE_QUEUE),
    "settle": schedule_entry(10.0, "billing.tasks.settle_due", queue=HOUSE_QUEUE),
    "outages": schedule_entry(10.0, "billing.tasks.keep_outages", queue=HOUSE_QUEUE),
    "callbacks": schedule_entry(2.0, "billing.tasks.deliver_sandbox_callbacks"),
    "disputes": schedule_entry(60.0, "billing.tasks.press_disputes_due", queue=SLOW_QUEUE),
    "returns": schedule_entry(60.0, "billing.tasks.watch_returns_due", queue=HOUSE_QUEUE),
    "remind": schedule_entry(60.0, "billing.tasks.remind_due", queue=HOUSE_QUEUE),
    "statements": schedule_entry(600.0, "billing.tasks.fetch_statements", queue=SLOW_QUEUE),
    "books": schedule_entry(600.0, "ledger.tasks.close_books", queue=SLOW_QUEUE),
    "notices": schedule_entry(2.0, "accounts.tasks.deliver_notices", queue=SLOW_QUEUE),
    "expire": schedule_entry(60.0, "orders.tasks.expire_unconfirmed", queue=HOUSE_QUEUE),
    "limits": schedule_entry(60.0, "credit.tasks.review_limits", queue=HOUSE_QUEUE),
    "webhooks": schedule_entry(1.0, "merchants.tasks.deliver_webhooks", queue=WEBHOOKS_QUEUE),
    "webhooks_again": schedule_entry(1.0, "merchants.tasks.retry_webhooks", queue=WEBHOOKS_QUEUE),
    "letters": schedule_entry(10.0, "portal.tasks.send_letters", queue=SLOW_QUEUE),
    "exports": schedule_entry(5.0, "personal.tasks.make_exports", queue=SLOW_QUEUE),
    "erasures": schedule_entry(60.0, "personal.tasks.erase_people", queue=HOUSE_QUEUE),
    "answers": schedule_entry(600.0, "kernel.tasks.forget_answers", queue=SLOW_QUEUE),
    "sessions": schedule_entry(600.0, "accounts.tasks.forget_sessions", queue=SLOW_QUEUE),
    "figures": schedule_entry(30.0, "office.tasks.count_up", queue=SLOW_QUEUE),
    "files": schedule_entry(5.0, "office.tasks.make_files", queue=SLOW_QUEUE),
    "proposals": schedule_entry(60.0, "office.tasks.expire_proposals", queue=HOUSE_QUEUE),
}


# The task class by name: it imports kernel.clock, which needs the apps loaded.
app = Celery("bnpl", amqp=BrokerAMQP, task_cls="bnpl.scheduled_tasks:ScheduledTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = SCHEDULE
app.steps["consumer"].add(HeartbeatStep)
app.autodiscover_tasks()


@setup_logging.connect
def configure_logging(**_: Any) -> None:
    """Use Django's LOGGING, which Celery would replace with handlers of its own."""
    logging.config.dictConfig(settings.LOGGING)


@worker_init.connect
def prepare_process(**_: Any) -> None:
    """Before the pool forks: freeze what the children share, and raise the limit of open files."""
    gc_tuning.freeze_loaded_objects()
    raise_open_file_limit()


@task_prerun.connect
def bind_log_context(task_id: str = "", task: Any = None, **_: Any) -> None:
    """Add the task's name and id to every log line it writes."""
    set_tags(task=getattr(task, "name", ""), task_id=task_id)


@task_postrun.connect
def clear_log_context(**_: Any) -> None:
    set_tags()


@task_prerun.connect
@task_postrun.connect
def close_broken_connections(**_: Any) -> None:
    """Django does this around each request; tasks must do it themselves, to work again after a database restart.

    What a task that was interrupted by its time limit left open is closed before the next one.
    """
    has_batch, has_transaction = discard_leftover_batch(), close_leftover_transaction()
    if has_batch or has_transaction:
        log.error("left_open_by_a_task", batch=has_batch, transaction=has_transaction)
    close_old_connections()
