"""The doorbell: what is swept how often, and the worker's pulse. Every truth is a row in PostgreSQL, none is here."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun, worker_init
from django.conf import settings
from django.db import close_old_connections

from bnpl import loaded
from bnpl.broker import Line
from bnpl.files import allow_files
from bnpl.pulse import Pulse
from kernel.log_context import tag_from_here

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bnpl.settings")
#: Money waits for nothing else: the worker takes these rings alone.
MONEY = "celery"
#: What the house does by itself, and what talks to the outside or takes long: the clerk's, the house's first.
HOUSE, SLOW = "house", "slow"
#: The courier's own queue: no receiver of a merchant's, however slow, takes anybody away from their work.
WEBHOOKS = "webhooks"
QUEUES = (MONEY, HOUSE, SLOW, WEBHOOKS)
#: No ring is dropped sooner: a worker's clock may be ahead of the beat's, and a worker may have its hands full.
LIVES_SECONDS = 15.0


def every(seconds: float, task: str, *, queue: str = MONEY) -> dict[str, Any]:
    """A ring says its period, so that of several beats' rings one counts (bnpl.rings).

    One that nobody fetched before the next, and for some seconds, is dropped: rings do not pile up for ever while no
    worker runs.
    """
    options = {"expires": max(seconds * 1.5, LIVES_SECONDS), "headers": {"every": seconds}, "queue": queue}
    return {"task": task, "schedule": seconds, "options": options}


SCHEDULE = {
    "deduct": every(1.0, "billing.tasks.deduct_due"),
    "ask": every(2.0, "billing.tasks.ask_unknown"),
    "overdue": every(10.0, "billing.tasks.mark_overdue", queue=HOUSE),
    "days": every(60.0, "billing.tasks.close_days", queue=HOUSE),
    "settle": every(10.0, "billing.tasks.settle_due", queue=HOUSE),
    "outages": every(10.0, "billing.tasks.keep_outages", queue=HOUSE),
    "callbacks": every(2.0, "billing.tasks.deliver_sandbox_callbacks"),
    "disputes": every(60.0, "billing.tasks.press_disputes_due", queue=SLOW),
    "returns": every(60.0, "billing.tasks.watch_returns_due", queue=HOUSE),
    "remind": every(60.0, "billing.tasks.remind_due", queue=HOUSE),
    "statements": every(600.0, "billing.tasks.fetch_statements", queue=SLOW),
    "books": every(600.0, "ledger.tasks.close_books", queue=SLOW),
    "notices": every(2.0, "accounts.tasks.deliver_notices", queue=SLOW),
    "expire": every(60.0, "orders.tasks.expire_unconfirmed", queue=HOUSE),
    "limits": every(60.0, "credit.tasks.review_limits", queue=HOUSE),
    "webhooks": every(1.0, "merchants.tasks.deliver_webhooks", queue=WEBHOOKS),
    "webhooks_again": every(1.0, "merchants.tasks.retry_webhooks", queue=WEBHOOKS),
    "letters": every(10.0, "portal.tasks.send_letters", queue=SLOW),
    "exports": every(5.0, "personal.tasks.make_exports", queue=SLOW),
    "erasures": every(60.0, "personal.tasks.erase_people", queue=HOUSE),
    "answers": every(600.0, "kernel.tasks.forget_answers", queue=SLOW),
    "sessions": every(600.0, "accounts.tasks.forget_sessions", queue=SLOW),
    "figures": every(30.0, "office.tasks.count_up", queue=SLOW),
    "files": every(5.0, "office.tasks.make_files", queue=SLOW),
    "proposals": every(60.0, "office.tasks.expire_proposals", queue=HOUSE),
}


app = Celery("bnpl", amqp=Line, task_cls="bnpl.rings:Ring")  # by name: it reads the clock, which needs the apps loaded
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = SCHEDULE
app.steps["consumer"].add(Pulse)
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_log_lines(**_: Any) -> None:
    """Celery would put handlers of its own in place of ours."""
    logging.config.dictConfig(settings.LOGGING)


@worker_init.connect
def keep_what_is_loaded(**_: Any) -> None:
    """Before the pool is forked: what its children share they leave alone. And each has the files it may need."""
    loaded.keep()
    allow_files()


@task_prerun.connect
def name_the_lines(task_id: str = "", task: Any = None, **_: Any) -> None:
    """Every line a task writes carries the task's name and the id of this run of it."""
    tag_from_here(task=getattr(task, "name", ""), task_id=task_id)


@task_postrun.connect
def end_the_lines(**_: Any) -> None:
    tag_from_here()


@task_prerun.connect
@task_postrun.connect
def drop_broken_connections(**_: Any) -> None:
    """A request ends with this in Django; a task has to say it. After a database restart the next task works again."""
    close_old_connections()
