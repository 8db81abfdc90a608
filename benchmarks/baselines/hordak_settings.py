"""The baseline's settings with django-hordak, a ledger in a database of its own."""

from benchmarks.baselines.settings import *  # noqa: F403  its own, and one application more
from benchmarks.baselines.settings import INSTALLED_APPS as WITHOUT

INSTALLED_APPS = [*WITHOUT, "mptt", "hordak"]
DEFAULT_CURRENCY = "CNY"
HORDAK_INTERNAL_CURRENCY = "CNY"
CURRENCIES = HORDAK_CURRENCIES = ["CNY"]
