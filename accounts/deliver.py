"""Notices leave the house: claimed in one transaction, sent in none, settled in one.

At least once: a worker that dies between sending and settling leaves its copies to be sent once more. Nothing is sent
before the person may be disturbed, nor what no longer stands, nor a fourth demand in one day.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeAlias
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from accounts import contacts, notices, wording
from accounts.inbox import PEOPLE
from accounts.models import Delivery, Notice, Person
from kernel.models import LIVE
from kernel.prepared import Reading
from kernel.sweeps import Sweep, by_halves, has_aside, raise_last
from kernel.time_limit import TimeIsUp
from kernel.transactions import in_transaction
from kernel.writes import update_all

log = structlog.get_logger(__name__)
#: How long sending may take before somebody else may take it up again.
LEASE = timedelta(seconds=60)
#: How long after each try that failed the next one is made; after the last it is given up.
WAITS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
#: Why each notice that no longer stands does not, by its id.
Standing: TypeAlias = Callable[[Sequence[Notice], datetime], Mapping[UUID, str]]
_QUEUED, _SENT = Delivery.State.QUEUED, Delivery.State.SENT
_FAILED, _SKIPPED = Delivery.State.FAILED, Delivery.State.SKIPPED
_INBOX, _SMS = Delivery.Channel.INBOX, Delivery.Channel.SMS
_MOVING = ["state", "reason", "tries", "next_at", "tried_at", "sent_at"]


class InsideTransactionError(RuntimeError):
    """Something was about to be sent while a transaction was open: its rollback could not call it back."""


def deliver_due(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Send what is due by now. Returns how many copies were seen to; fewer than `limit` means none are left."""
    claimed, seen, failures = _claimed(realm_id, at=at, limit=limit)
    if claimed:
        _send_and_settle(claimed, at=at)
    raise_last(failures, seen=seen)
    return seen


def _claimed(realm_id: int, *, at: datetime, limit: int) -> tuple[list[Delivery], int, list[Exception]]:
    """What is to be sent now, and how many copies were due; where they cannot all be claimed together, what can be."""
    try:
        if not has_aside("notice_not_claimed"):
            return *claim_due(realm_id, at=at, limit=limit), []
    except TimeIsUp:
        raise
    except Exception:  # noqa: BLE001, S110  told of those that it is true of
        pass
    due = Delivery.objects.filter(realm_id=realm_id, next_at__lte=at).order_by("next_at", "id")
    keys, claimed = list(due.values_list("id", flat=True)[:limit]), list[Delivery]()
    failures = by_halves(keys, lambda some: claimed.extend(_claim_of(some, at=at)), told="notice_not_claimed")
    return claimed, len(keys), failures


def _send_and_settle(claimed: Sequence[Delivery], *, at: datetime) -> None:
    """What went out is written down, and what the sending did not come to is given back.

    What is in hand when the worker's time is up keeps its try: so what holds up every worker comes to its own end.

    Raises:
        TimeIsUp: the worker's time is up.
    """
    outcomes: list[tuple[Delivery, str]] = []
    over: TimeIsUp | None = None
    with notices.kept_together():
        try:
            outcomes.extend(send_all(claimed))
        except TimeIsUp as ended:
            over = ended
    settle(outcomes, at=at)
    give_back(claimed[len(outcomes) + bool(over) :], at=at)
    if over:
        raise over


@lru_cache(maxsize=8)
def _due(limit: int) -> Reading[Delivery]:
    return Reading(
        lambda realm, at: (
            Delivery.objects.filter(realm_id=realm, next_at__lte=at)
            .order_by("next_at", "id")
            .select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit]
        ),
        ["bigint", "timestamptz"],
    )


_NOTICES = Reading(lambda keys: Notice.objects.filter(pk__any=keys), ["uuid[]"])


@transaction.atomic
def claim_due(realm_id: int, *, at: datetime, limit: int) -> tuple[list[Delivery], int]:
    """Take copies that are due, put off those that may not go yet, drop those that no longer stand.

    Those another worker holds are passed over. What is returned is to be sent now, within its lease.
    """
    rows = _due(limit).rows(realm_id, at)
    return _taken(rows, at=at), len(rows)


@transaction.atomic
def _claim_of(keys: Sequence[UUID], *, at: datetime) -> list[Delivery]:
    """The same, of some of them."""
    due = Delivery.objects.filter(pk__in=keys, next_at__lte=at).order_by("next_at", "id")
    return _taken(list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)), at=at)


def _taken(rows: list[Delivery], *, at: datetime) -> list[Delivery]:
    _NOTICES.give(rows, "notice")
    PEOPLE.give(rows, "person")
    going = [row for row in rows if not _given_up(row) and not _unwanted(row) and not _asleep(row, at=at)]
    going = _still_standing(going, at=at)
    going = _within_bounds(going, at=at)
    for row in going:
        row.tries, row.tried_at, row.next_at = row.tries + 1, at, at + LEASE
        if row.channel == _INBOX:  # the row is the message
            row.state, row.sent_at, row.next_at = _SENT, at, None
    update_all(rows, _MOVING)
    return [row for row in going if row.channel != _INBOX]


def send_all(claimed: Sequence[Delivery]) -> Iterator[tuple[Delivery, str]]:
    """Send each, and say how it ended: empty when it went out. What half the lease does not reach is left.

    Raises:
        InsideTransactionError: a transaction is open.
    """
    if claimed and in_transaction():
        raise InsideTransactionError
    until = time.monotonic() + LEASE.total_seconds() / 2
    for row in claimed:
        if time.monotonic() >= until:
            return
        yield row, _sent(row)


_OPEN = Reading(
    lambda keys: (
        Delivery.objects.filter(pk__any=keys, state=_QUEUED).select_for_update(of=("self",), no_key=True).order_by("pk")
    ),
    ["uuid[]"],
)


@transaction.atomic
def settle(outcomes: Sequence[tuple[Delivery, str]], *, at: datetime) -> None:
    """Write down how sending ended. What failed is tried again later; what somebody else took up since is theirs."""
    ended = {row.id: (row.next_at, reason) for row, reason in outcomes}
    rows = _OPEN.rows(list(ended))
    for row in rows:
        lease, reason = ended[row.id]
        if not reason:
            row.state, row.reason, row.sent_at, row.next_at = _SENT, "", at, None
        elif row.next_at == lease:
            row.reason = reason
            row.next_at = at + WAITS[row.tries - 1] if row.tries <= len(WAITS) else None
            row.state = _QUEUED if row.next_at else _FAILED
    update_all(rows, _MOVING)


@transaction.atomic
def give_back(left: Sequence[Delivery], *, at: datetime) -> None:
    """Nobody came to these: they are due as before, and nothing was tried. What somebody else took up is theirs."""
    leases = {row.id: row.next_at for row in left}
    rows = [row for row in _OPEN.rows(list(leases)) if row.next_at == leases[row.id]] if leases else []
    for row in rows:
        row.tries, row.next_at = row.tries - 1, at
        row.tried_at = row.tried_at if row.tries else None
    update_all(rows, _MOVING)


def _sent(row: Delivery) -> str:
    """Sends one copy; what went wrong, by the name of it, since a sender's message may hold an address."""
    try:
        return _send(row)
    except TimeIsUp:
        raise
    except Exception as exc:
        log.exception("notice_not_sent", delivery=row.public_id, channel=row.channel)
        return type(exc).__name__[:60]


def _send(row: Delivery) -> str:
    user, live = row.person.user, row.realm_id == LIVE
    if row.channel == _SMS:
        phone = user.reveal_phone() if user else None
        if phone is None:
            return "no_phone"
        send_text = notices.send_text if live else notices.keep_text_at_home
        send_text(phone, row.notice.body)
        return ""
    address = row.person.reveal_mail()
    if address is None:
        return "no_address"
    send_mail = notices.send_mail if live else notices.keep_mail_at_home
    send_mail(address, row.notice.subject, row.notice.body)
    return ""


def _given_up(row: Delivery) -> bool:
    """Whoever sent it never came back to say so, again and again."""
    if row.tries > len(WAITS):
        row.state, row.next_at, row.reason = _FAILED, None, row.reason or "never_settled"
    return row.state == _FAILED


def _unwanted(row: Delivery) -> bool:
    """Whether the person has said since that they do without it."""
    if wording.unwanted(row.notice.stage, row.channel, row.person.silenced):
        row.state, row.next_at, row.reason = _SKIPPED, None, "silenced"
    return row.state == _SKIPPED


def _asleep(row: Delivery, *, at: datetime) -> bool:
    """Whether it would ring, or demand, at an hour when it may not: then it waits for the morning."""
    if not wording.rings(row.notice.stage, row.channel):
        return False
    row.next_at = wording.awake(at, row.person.zone, row.person.hours)
    return row.next_at > at


def _still_standing(rows: Sequence[Delivery], *, at: datetime) -> list[Delivery]:
    """Those whose notice is still true. Who knows is named by NOTICES_STANDING: it is a question for floors above."""
    standing: Standing = import_string(settings.NOTICES_STANDING)
    gone = standing([row.notice for row in rows], at) if rows else {}
    for row in rows:
        if row.notice_id in gone:
            row.state, row.reason, row.next_at = _SKIPPED, gone[row.notice_id][:60], None
    return [row for row in rows if row.state == _QUEUED]


def _within_bounds(rows: Sequence[Delivery], *, at: datetime) -> list[Delivery]:
    """Those that do not demand too much of anybody today; the rest wait for the next morning.

    Each person is locked while their demands are counted, so that two workers cannot both send the last one.
    """
    asked = {row.person_id for row in rows if row.collection}
    if not asked:
        return list(rows)
    people = Person.objects.filter(pk__in=asked).select_for_update(skip_locked=True, no_key=True).order_by("pk")
    zones = dict(people.values_list("id", "zone"))
    today = contacts.asked_today(zones, at=at)
    going = []
    for row in rows:
        if not row.collection:
            going.append(row)
        elif row.person_id in zones:  # else another worker is counting: the copy stays due
            demands = today[row.person_id]
            if row.notice_id in demands or len(demands) < wording.COLLECTIONS_A_DAY:
                demands.add(row.notice_id)
                going.append(row)
            else:
                row.next_at = wording.next_morning(at, zones[row.person_id])
    return going


QUEUED = Sweep(
    name="notices",
    act=deliver_due,
    first="SELECT min(next_at) FROM accounts_delivery WHERE realm_id = %(realm)s AND next_at IS NOT NULL",
    work=Delivery,
    column="next_at",
)
