"""Celery's soft time limit: the worker's time for this task is up, so the work in hand must end.

Celery raises it like any other exception, wherever the code happens to be. Loops that process many items and continue
after an item's failure must let it pass first: `except SoftTimeLimitExceeded: raise`.
"""

from celery.exceptions import SoftTimeLimitExceeded

__all__ = ["SoftTimeLimitExceeded"]
