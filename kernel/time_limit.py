"""A worker's time is up: that ends the work in hand, and is no trouble with the one thing that was just looked at.

Celery says so by an exception like any other, wherever the work happens to be. Whoever sees to many things, and lets
trouble with one keep no other waiting, lets this one pass first: `except TimeIsUp: raise`.
"""

from celery.exceptions import SoftTimeLimitExceeded as TimeIsUp

__all__ = ["TimeIsUp"]
