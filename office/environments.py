"""Which environment a console page shows: live or the sandboxes."""

from typing import Any

from django.utils.translation import gettext_lazy

from office.queries.reports import has_tallies

MODES = (("live", gettext_lazy("Live")), ("test", gettext_lazy("Sandboxes")))


def selected_mode(params: Any) -> str:
    """The mode in the query string; else live, or test if only sandboxes have any data."""
    asked: str = params.get("mode", "")
    if asked in dict(MODES):
        return asked
    return "test" if has_tallies("test") and not has_tallies("live") else "live"
