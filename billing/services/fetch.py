"""Each channel's statement of a day is asked for once the day is over, and taken in."""

import tempfile
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import structlog
from django.db.models import Min
from django.db.models.functions import Least

from billing.channels.bank_statements import write_statement
from billing.channels.layouts import PLAIN
from billing.models import Deduction, RefundPart, StatementFile
from billing.services.reconcile import import_statement
from kernel.actor import Actor
from kernel.sweeps import running_realms
from kernel.time_limit import TimeIsUp

log = structlog.get_logger(__name__)
BY = Actor.system("reconcile")
#: Channels that can be asked for a file, and who writes it. For the others an operator imports what they downloaded.
WRITERS: Mapping[str, Callable[..., None]] = {"sandbox": write_statement}
#: A day that is over is left alone for so long: nobody's file is ready at midnight.
READY_AFTER = timedelta(hours=1)
#: A realm whose clock was moved by months is caught up so many days at a time.
DAYS_AT_ONCE = 7
#: So long after it took something a bank may still take that back: until then every day is asked for.
TAKEN_BACK_WITHIN = timedelta(days=180)


def fetch_statements(*, real: datetime) -> int:
    """Take in what channels wrote of days that are over, wherever something can have moved. How many files.

    Trouble with one realm is logged and keeps no other waiting; its days are asked for the next time.
    """
    done = 0
    for realm in running_realms().order_by("id"):
        for channel in WRITERS:
            try:
                done += fetch_of(channel, realm.id, at=realm.now(real))
            except TimeIsUp:
                raise
            except Exception:
                log.exception("statement_not_fetched", realm=realm.id, channel=channel)
    return done


def fetch_of(channel: str, realm_id: int, *, at: datetime) -> int:
    """The files of one channel in one realm, the oldest first. How many there were.

    A file that is here already as another day's says nothing of this one: it is logged, and asked for the next time.
    """
    for count in range(DAYS_AT_ONCE):
        day = _next_day(channel, realm_id)
        if day is None or PLAIN.window(day)[1] + READY_AFTER > at:
            return count
        with tempfile.TemporaryFile() as file:
            made = _import(channel, file, realm_id, day, at=at)
        if made.covers_on != day:
            log.error("statement_is_of_another_day", statement=made.public_id, wanted=day.isoformat())
            return count
    return DAYS_AT_ONCE


def _import(channel: str, file: BinaryIO, realm_id: int, day: date, *, at: datetime) -> StatementFile:
    WRITERS[channel](file, realm_id=realm_id, day=day)
    file.seek(0)
    name = f"{channel}-{day.isoformat()}.csv"
    return import_statement(channel, file, realm_id=realm_id, day=day, layout=PLAIN, name=name, by=BY, at=at)


def _next_day(channel: str, realm_id: int) -> date | None:
    """The next day after the latest file on which anything of ours can have been at the channel.

    From what moved first on that is every day: a bank takes back on days on which nothing else moves, and its call may
    be lost. Long after the last debit it is none before something moves again, or is in doubt there. What was sent
    just before the channel's midnight and heard of after it stands in the day before: both are asked for.
    """
    files = StatementFile.objects.filter(realm_id=realm_id, channel=channel, read_at__isnull=False)
    until = files.order_by("-covers_on").values_list("covers_until", flat=True).first()
    if until is not None and _may_be_taken_back(channel, realm_id, until):
        return until.astimezone(ZoneInfo(PLAIN.zone)).date()
    moments = [_first(life, channel, realm_id, until) for life in (Deduction, RefundPart)]
    first = min((moment for found in moments for moment in found if moment), default=None)
    if first is None:
        return None
    return max(first, until or first).astimezone(ZoneInfo(PLAIN.zone)).date()


def _may_be_taken_back(channel: str, realm_id: int, day: datetime) -> bool:
    """Whether anything was taken, by the day that begins then, that the bank may still take back."""
    taken = Deduction.objects.filter(realm_id=realm_id, channel=channel, state=Deduction.State.SUCCEEDED)
    return taken.filter(resolved_at__gte=day - TAKEN_BACK_WITHIN, resolved_at__lt=day).exists()


def _first(life: Any, channel: str, realm_id: int, until: datetime | None) -> list[datetime | None]:
    rows = life.objects.filter(realm_id=realm_id, channel=channel)
    ended = rows.filter(state="succeeded", **({"resolved_at__gte": until} if until else {}))
    doubtful = rows.filter(ask_at__isnull=False)
    began = ended.aggregate(m=Min(Least("sent_at", "resolved_at")))["m"]
    return [began, doubtful.aggregate(m=Min("sent_at"))["m"]]
