"""Alarm clocks: the rows say what is due, so a lost or doubled ring changes nothing."""

from celery import shared_task

from billing.models import Deduction
from billing.services import ask, callbacks, deduct, outage, remind
from kernel.clock import live_now
from kernel.models import Realm
from kernel.sweeps import everywhere
from orders import services as orders
from orders.models import Obligation

BATCH = 100


@shared_task
def deduct_due() -> None:
    """Collect what is due."""
    everywhere(
        Obligation, "collect_at", lambda realm, at, limit: deduct.deduct_due(realm, at=at, limit=limit), batch=BATCH
    )


@shared_task
def ask_unknown() -> None:
    """Ask about outcomes nobody knows."""
    everywhere(Deduction, "ask_at", lambda realm, at, limit: ask.ask_unknown(realm, at=at, limit=limit), batch=BATCH)


@shared_task
def mark_overdue() -> None:
    """See to promises whose grace has passed."""
    everywhere(
        Obligation, "overdue_from", lambda realm, at, limit: orders.mark_overdue(realm, at=at, limit=limit), batch=BATCH
    )


@shared_task
def close_days() -> None:
    """Count the days that have ended on what is overdue."""
    everywhere(
        Obligation, "day_end_at", lambda realm, at, limit: orders.close_days(realm, at=at, limit=limit), batch=BATCH
    )


@shared_task
def keep_outages() -> None:
    """Stop what a channel that is out would collect, and let go on what one that is back does."""
    outage.keep_outages(real=live_now())


@shared_task
def remind_due() -> None:
    """Tell people what is coming and what is late, wherever anything was ever owed."""
    everywhere(
        Obligation,
        "order__completed_at",
        lambda realm, at, limit: remind.remind_due(realm, at=at, limit=limit),
        batch=200,
    )


@shared_task
def deliver_sandbox_callbacks() -> None:
    """Let the sandbox bank deliver its callbacks, where its people live."""
    for realm in Realm.objects.filter(mode="test", frozen_at__isnull=True, merchants__isnull=False).distinct():
        callbacks.deliver_sandbox_callbacks(realm, real=live_now())
