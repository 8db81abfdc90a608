"""The Celery app with leases of seconds instead of a minute, for tests that wait one out."""

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
def shorten_webhook_lease(**_kwargs: Any) -> None:
    """Set at worker start, because the module can be imported only once the apps are loaded."""
    import_module("merchants.services.deliver").LEASE = LEASE


__all__ = ["app"]
