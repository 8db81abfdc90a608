"""The worker's application with a lease of seconds in place of its minute, for a test that has to wait one out."""

import os
from datetime import timedelta

from billing import rules
from bnpl.celery import app

rules.SEND_LEASE = timedelta(seconds=float(os.environ.get("KILL_LEASE", "4")))

__all__ = ["app"]
