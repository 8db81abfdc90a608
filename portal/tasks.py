"""Alarm clocks of portal."""

from celery import shared_task

from kernel.clock import live_now
from portal.services import letters, writing

BATCH = 50


@shared_task
def send_letters() -> None:
    """Write to staff whose endpoints were switched off, whose money goes elsewhere or came back; send what is due."""
    at = live_now()
    writing.write_of_endpoints(at=at, limit=BATCH)
    writing.write_of_accounts(at=at, limit=BATCH)
    writing.write_of_payouts(at=at, limit=BATCH)
    letters.send_due(at=at, limit=BATCH)
