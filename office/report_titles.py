"""What a report figure counts, in words: the title of the page with its rows."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy

from kernel.console_actions import StrOrPromise
from kernel.labels import value_label
from office.labels import DECLINE_REASONS
from office.report_panels import BOOK_KEYS, OCCASIONS, ORDER_KEYS, OUTCOMES
from portal.labels import FAILURE_LABELS

#: What the first and the second part of a key mean, by metric.
_PARTS: dict[str, tuple[Mapping[str, StrOrPromise], ...]] = {
    "order": (ORDER_KEYS,),
    "book": (BOOK_KEYS,),
    "refusal": (DECLINE_REASONS,),
    "failure": (dict(FAILURE_LABELS),),
    "decision": (OCCASIONS, {"approved": gettext_lazy("Approved"), "refused": gettext_lazy("Refused")}),
    "attempt": ({}, OUTCOMES),
    "channel": ({}, OUTCOMES),
}
#: What comes before a key that is a number.
_BEFORE: dict[str, StrOrPromise] = {"attempt": gettext_lazy("Attempt")}


def figure_label(metric: str, key: str) -> str:
    """The label of a figure: `attempt`, `1:failed` is "Attempt 1 · Declined"."""
    known = _PARTS.get(metric, ())
    parts = [
        str(known[place].get(part, value_label(part)) if place < len(known) else value_label(part))
        for place, part in enumerate(key.split(":"))
    ]
    before = f"{_BEFORE[metric]} " if metric in _BEFORE else ""
    return before + " · ".join(parts)
