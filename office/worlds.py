"""Live life, or that of the sandboxes: which of them a page shows."""

from typing import Any

from django.utils.translation import gettext_lazy

from office.queries.figures import has_lived

MODES = (("live", gettext_lazy("Live")), ("test", gettext_lazy("Sandboxes")))


def mode_of(given: Any) -> str:
    """What is asked for; else live, as long as not everything that ever happened did so in sandboxes."""
    asked: str = given.get("mode", "")
    if asked in dict(MODES):
        return asked
    return "test" if has_lived("test") and not has_lived("live") else "live"
