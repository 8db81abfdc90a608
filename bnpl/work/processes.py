"""The processes and the broker between them: how long they may be silent, and how much may lie there."""

from collections.abc import Mapping
from datetime import timedelta

from django.utils.translation import gettext_noop as _

from bnpl.work.kind import Kind

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)

PROCESSES: Mapping[str, Kind] = {
    "broker": Kind(
        says=_("The broker answers"),
        because=_("without it nobody rings and nothing is swept"),
        steps=(_("Start Valkey. It may come back empty: what is due stands in the database."),),
    ),
    "worker": Kind(
        says=_("A worker takes tasks; since its last pulse"),
        late=6 * _SECOND,
        stuck=10 * _SECOND,
        because=_("it beats every two seconds: three missed are a hint, and after ten its pulse is gone"),
        steps=(
            _(
                "Start a worker. One that runs and does not beat hangs, has lost its broker, or has children that take "
                "nothing (pulse_withheld in its log): kill it, at any moment."
            ),
        ),
    ),
    "queue": Kind(
        says=_("Rings that nobody has taken yet"),
        late=20,
        stuck=200,
        because=_(
            "one or two come in a second to each queue: twenty wait behind long tasks, two hundred for somebody to come"
        ),
        steps=(
            _(
                "celery is the worker's queue, house and slow are the clerk's, webhooks the courier's: start one, or "
                "more. It may be emptied at any time (FLUSHALL): the next rings find the same rows due."
            ),
        ),
    ),
    "unacked": Kind(
        says=_("Tasks being worked on"),
        late=120 * _SECOND,
        stuck=10 * _MINUTE,
        because=_(
            "no task may run longer than 120 s; after 300 s a dead worker's are handed out again, by a living one"
        ),
        steps=(_("See worker. A worker must be there to hand them out again; they may also be lost without harm."),),
    ),
}
