"""Celery tasks of billing. Rows hold what is due, so a lost or duplicate run changes nothing."""

from celery import shared_task

from billing.services import (
    callbacks,
    deduct,
    dispute_deadlines,
    invoices,
    movement_polling,
    outage,
    outcome_polling,
    payouts,
    refund_retries,
    reminder_sweeps,
    return_deadlines,
    settlements,
    statement_fetching,
)
from kernel.clock import live_now
from orders import services as orders


@shared_task
def deduct_due() -> None:
    """Deduct what is due."""
    deduct.SWEEP.run_due()


@shared_task
def ask_unknown() -> None:
    """Query channels about unknown outcomes, and retry refunds that could not be paid."""
    outcome_polling.SWEEP.run_due()
    movement_polling.REFUNDS_SWEEP.run_due()
    refund_retries.SWEEP.run_due()
    movement_polling.PAYOUTS_SWEEP.run_due()


@shared_task
def mark_overdue() -> None:
    """Mark orders overdue whose grace period has passed."""
    orders.OVERDUE_SWEEP.run_due()


@shared_task
def close_days() -> None:
    """Count the days that have ended for overdue obligations, with their late fees."""
    orders.DAY_END_SWEEP.run_due()


@shared_task
def keep_outages() -> None:
    """Pause orders that would be deducted from a channel in outage, and resume those whose channel is back."""
    outage.apply_outages(real=live_now())


@shared_task
def fetch_statements() -> None:
    """Import the channels' statements of days that are over."""
    statement_fetching.fetch_statements(real=live_now())


@shared_task
def remind_due() -> None:
    """Write reminders of what is coming and what is overdue."""
    reminder_sweeps.SWEEP.run_due()


@shared_task
def deliver_sandbox_callbacks() -> None:
    """Deliver the sandbox bank's callbacks."""
    callbacks.deliver_all_callbacks(real=live_now())


@shared_task
def settle_due() -> None:
    """Settle merchants whose day has ended, invoice their months, and send payouts."""
    settlements.DUE.run_due()
    invoices.DUE.run_due()
    payouts.DUE.run_due()


@shared_task
def watch_returns_due() -> None:
    """Remind merchants of unanswered returns, and accept those whose deadline has passed."""
    return_deadlines.DUE.run_due()


@shared_task
def press_disputes_due() -> None:
    """Process disputes: deadlines, evidence to send, and the channels' decisions."""
    dispute_deadlines.DUE.run_due()
