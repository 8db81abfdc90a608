"""The kinds of work of processes, broker and WAL archive: how long they may be silent, and how much may wait."""

from collections.abc import Mapping
from datetime import timedelta

from django.utils.translation import gettext_noop as _

from bnpl.work.work_kind import WorkKind

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)

PROCESSES: Mapping[str, WorkKind] = {
    "broker": WorkKind(
        description=_("Broker responds"),
        rationale=_("without it no job is triggered and nothing is processed"),
        steps=(_("Start Valkey. It may come back empty: all due work is in the database."),),
    ),
    "worker": WorkKind(
        description=_("Worker is taking tasks; since its last heartbeat"),
        late=6 * _SECOND,
        stuck=10 * _SECOND,
        rationale=_(
            "it beats every two seconds: three missed beats are a warning, and after ten seconds it counts as stopped"
        ),
        steps=(
            _(
                "Start a worker. One that runs without a heartbeat hangs, has lost its broker, or has child processes"
                " that take no tasks (pulse_withheld in its log): you can kill it at any time."
            ),
        ),
    ),
    "queue": WorkKind(
        description=_("Triggers waiting in the queue"),
        late=20,
        stuck=200,
        rationale=_(
            "each queue receives one or two a second: twenty are waiting behind long tasks, two hundred mean that"
            " no worker takes them"
        ),
        steps=(
            _(
                "The worker serves the queue celery, the clerk serves house and slow, the courier serves webhooks:"
                " start one or more of them. Queues may be emptied at any time (FLUSHALL): the next triggers find"
                " the same rows due."
            ),
        ),
    ),
    "unacked": WorkKind(
        description=_("Tasks in progress"),
        late=120 * _SECOND,
        stuck=10 * _MINUTE,
        rationale=_(
            "no task may run longer than 120 s; after 300 s a dead worker's tasks are redistributed by a live one"
        ),
        steps=(_("Check the worker. A worker must be running to redistribute them; losing them does no harm either."),),
    ),
    "wal_archive": WorkKind(
        description=_("WAL segments waiting to be archived"),
        late=10,
        stuck=60,
        rationale=_(
            "a segment is archived within seconds and at least once a minute: ten are some minutes of data that no"
            " other machine has, and they stay until they fill the disk"
        ),
        steps=(
            _(
                "Read the error of archive_command in PostgreSQL's log, and check the space at its destination. It is"
                " retried every minute, and nothing is removed before it succeeds."
            ),
        ),
    ),
}
