"""Alarm clocks: the rows say what is due, so a lost or doubled ring changes nothing."""

from celery import shared_task

from billing.services import (
    ask,
    ask_parts,
    callbacks,
    deduct,
    fetch,
    invoice,
    outage,
    payouts,
    press_disputes,
    send_again,
    settlement,
    untold,
    watch_returns,
)
from kernel.clock import live_now
from orders import services as orders


@shared_task
def deduct_due() -> None:
    """Collect what is due."""
    deduct.DUE.ring()


@shared_task
def ask_unknown() -> None:
    """Ask about outcomes nobody knows, and send again what could not be given back."""
    ask.DUE.ring()
    ask_parts.DUE.ring()
    send_again.DUE.ring()
    ask_parts.PAYOUTS_DUE.ring()


@shared_task
def mark_overdue() -> None:
    """See to promises whose grace has passed."""
    orders.GOING_OVERDUE.ring()


@shared_task
def close_days() -> None:
    """Count the days that have ended on what is overdue."""
    orders.DAYS_ENDING.ring()


@shared_task
def keep_outages() -> None:
    """Stop what a channel that is out would collect, and let go on what one that is back does."""
    outage.keep_outages(real=live_now())


@shared_task
def fetch_statements() -> None:
    """Take in what channels wrote of days that are over."""
    fetch.fetch_statements(real=live_now())


@shared_task
def remind_due() -> None:
    """Tell people what is coming and what is late, wherever anything was ever owed."""
    untold.EVERYTHING.ring()


@shared_task
def deliver_sandbox_callbacks() -> None:
    """Let the sandbox bank deliver its callbacks, where its people live."""
    callbacks.deliver_everywhere(real=live_now())


@shared_task
def settle_due() -> None:
    """Cut off merchants' accounts whose day has ended, invoice their months, and pay out what is to be paid."""
    settlement.DUE.ring()
    invoice.DUE.ring()
    payouts.DUE.ring()


@shared_task
def watch_returns_due() -> None:
    """Remind merchants of returns they have not answered, and take their silence for a yes."""
    watch_returns.DUE.ring()


@shared_task
def press_disputes_due() -> None:
    """See to what channels took back: deadlines, what we say against it, and what they decided."""
    press_disputes.DUE.ring()
