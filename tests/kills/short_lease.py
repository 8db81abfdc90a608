"""Workers' application with leases of seconds in place of a minute, for tests that have to wait one out."""

import os
from datetime import timedelta
from importlib import import_module
from typing import Any

from celery.signals import worker_init

from billing import rules
from bnpl.celery import app

LEASE = timedelta(seconds=float(os.environ.get("KILL_LEASE", "4")))
rules.SEND_LEASE = LEASE


@worker_init.connect
def lend_webhooks_shortly(**_how: Any) -> None:
    """They are known when the worker is set up."""
    import_module("merchants.services.deliver").LEASE = LEASE


__all__ = ["app"]
