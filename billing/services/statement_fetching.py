"""Fetching of channel statements: each day's file is requested once the day is over, and imported."""

import tempfile
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import Min
from django.db.models.functions import Least

from billing.channels.bank_statements import write_statement
from billing.channels.statement_layouts import DEFAULT_LAYOUT
from billing.models import Deduction, RefundPart, StatementFile
from billing.services.statement_import import import_statement
from kernel.actor import Actor
from kernel.sweeps import running_realms

log = structlog.get_logger(__name__)
ACTOR = Actor.system("reconcile")
#: Channels whose statements can be fetched, and the function that writes the file. Others are imported by staff.
WRITERS: Mapping[str, Callable[..., None]] = {"sandbox": write_statement}
#: How long after the end of a day its file is requested: no channel has it at midnight.
READY_AFTER = timedelta(hours=1)
#: A realm whose clock was advanced by months is caught up this many days at a time.
DAYS_PER_RUN = 7
#: How long after a deduction the bank may still return it: until then every day is fetched.
DISPUTE_WINDOW = timedelta(days=180)


def fetch_statements(*, real: datetime) -> int:
    """Import the statements of days that are over, in every realm where money can have moved. Returns how many.

    An error in one realm is logged and does not stop the others; its days are fetched again by the next run.
    """
    done = 0
    for realm in running_realms().order_by("id"):
        for channel in WRITERS:
            try:
                done += fetch_channel(channel, realm.id, at=realm.now(real))
            except SoftTimeLimitExceeded:
                raise
            except Exception:
                log.exception("statement_not_fetched", realm=realm.id, channel=channel)
    return done


def fetch_channel(channel: str, realm_id: int, *, at: datetime) -> int:
    """Import the files of one channel in one realm, the oldest first. Returns how many.

    A file already imported for another day says nothing of this one: it is logged, and fetched again by the next run.
    """
    for count in range(DAYS_PER_RUN):
        day = _next_day(channel, realm_id)
        if day is None or DEFAULT_LAYOUT.day_bounds(day)[1] + READY_AFTER > at:
            return count
        with tempfile.TemporaryFile() as file:
            statement = _import(channel, file, realm_id, day, at=at)
        if statement.covers_on != day:
            log.error("statement_is_of_another_day", statement=statement.public_id, wanted=day.isoformat())
            return count
    return DAYS_PER_RUN


def _import(channel: str, file: BinaryIO, realm_id: int, day: date, *, at: datetime) -> StatementFile:
    WRITERS[channel](file, realm_id=realm_id, day=day)
    file.seek(0)
    name = f"{channel}-{day.isoformat()}.csv"
    return import_statement(
        channel, file, realm_id=realm_id, day=day, layout=DEFAULT_LAYOUT, name=name, by=ACTOR, at=at
    )


def _next_day(channel: str, realm_id: int) -> date | None:
    """The next day after the latest file on which the channel can have a movement of ours. None if there is none.

    From the first movement on that is every day: a bank returns debits on days without other movements, and its
    callback may be lost. DISPUTE_WINDOW after the last debit it is the day of the next movement, or of one in doubt.
    A movement sent just before the channel's midnight and answered after it is in the day before: both are fetched.
    """
    files = StatementFile.objects.filter(realm_id=realm_id, channel=channel, read_at__isnull=False)
    until = files.order_by("-covers_on").values_list("covers_until", flat=True).first()
    if until is not None and _may_be_disputed(channel, realm_id, until):
        return until.astimezone(ZoneInfo(DEFAULT_LAYOUT.zone)).date()
    moments = [_first_activity(life, channel, realm_id, until) for life in (Deduction, RefundPart)]
    first = min((moment for found in moments for moment in found if moment), default=None)
    if first is None:
        return None
    return max(first, until or first).astimezone(ZoneInfo(DEFAULT_LAYOUT.zone)).date()


def _may_be_disputed(channel: str, realm_id: int, day: datetime) -> bool:
    """Whether there is a deduction, made before the day that begins then, that the bank may still return."""
    taken = Deduction.objects.filter(realm_id=realm_id, channel=channel, state=Deduction.State.SUCCEEDED)
    return taken.filter(resolved_at__gte=day - DISPUTE_WINDOW, resolved_at__lt=day).exists()


def _first_activity(model: Any, channel: str, realm_id: int, until: datetime | None) -> list[datetime | None]:
    rows = model.objects.filter(realm_id=realm_id, channel=channel)
    ended = rows.filter(state="succeeded", **({"resolved_at__gte": until} if until else {}))
    unresolved = rows.filter(ask_at__isnull=False)
    began = ended.aggregate(m=Min(Least("sent_at", "resolved_at")))["m"]
    return [began, unresolved.aggregate(m=Min("sent_at"))["m"]]
