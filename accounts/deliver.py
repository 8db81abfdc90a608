"""Delivering notices by text message and email: claimed in one transaction, sent outside any, settled in another.

At least once: if a worker dies between sending and settling, its copies are sent again. Not sent are copies during the
person's quiet hours, notices that are no longer true, and more than three demands for overdue debts in a day.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeAlias
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from accounts import contacts, messaging, notice_rules
from accounts.models import Delivery, Notice, Person
from accounts.notices import PEOPLE
from kernel.bulk_writes import update_all
from kernel.models import LIVE
from kernel.prepared_statements import PreparedQuery
from kernel.sweeps import Sweep, has_skipped, process_bisecting, raise_last
from kernel.transactions import in_transaction

log = structlog.get_logger(__name__)
#: How long a claim lasts before another worker may claim the copy again.
LEASE = timedelta(seconds=60)
#: Delay after each failed attempt; after the last one the copy is given up.
RETRY_DELAYS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
#: Returns, for each of these notices that is no longer true, the reason by its id.
FindStaleNotices: TypeAlias = Callable[[Sequence[Notice], datetime], Mapping[UUID, str]]
_QUEUED, _SENT = Delivery.State.QUEUED, Delivery.State.SENT
_FAILED, _SKIPPED = Delivery.State.FAILED, Delivery.State.SKIPPED
_INBOX, _SMS = Delivery.Channel.INBOX, Delivery.Channel.SMS
_STATE_COLUMNS = ["state", "reason", "tries", "next_at", "tried_at", "sent_at"]


class InsideTransactionError(RuntimeError):
    """A message was about to be sent inside a transaction, whose rollback could not undo it."""


def deliver_due(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Send the copies that are due. Returns how many were processed; fewer than `limit` means that none are left."""
    claimed, processed, failures = _claim_isolating_failures(realm_id, at=at, limit=limit)
    if claimed:
        _send_and_settle(claimed, at=at)
    raise_last(failures, batch_size=processed)
    return processed


def _claim_isolating_failures(
    realm_id: int, *, at: datetime, limit: int
) -> tuple[list[Delivery], int, list[Exception]]:
    """Claim due copies. If claiming the batch fails, it is bisected, so that only the failing copies are skipped.

    Returns the claimed copies, how many were due, and the errors.
    """
    try:
        if not has_skipped("notice_not_claimed"):
            return *claim_due(realm_id, at=at, limit=limit), []
    except SoftTimeLimitExceeded:
        raise
    except Exception:  # noqa: BLE001, S110  found again by bisecting
        pass
    due = Delivery.objects.filter(realm_id=realm_id, next_at__lte=at).order_by("next_at", "id")
    keys, claimed = list(due.values_list("id", flat=True)[:limit]), list[Delivery]()
    failures = process_bisecting(
        keys, lambda some: claimed.extend(_claim_some(some, at=at)), event="notice_not_claimed"
    )
    return claimed, len(keys), failures


def _send_and_settle(claimed: Sequence[Delivery], *, at: datetime) -> None:
    """Send the claimed copies, settle those that were tried, and release the rest.

    The copy that is being sent when the worker's time is up keeps its attempt, so that one that blocks every worker is
    given up in the end.

    Raises:
        SoftTimeLimitExceeded: the worker's time is up.
    """
    outcomes: list[tuple[Delivery, str]] = []
    time_up: SoftTimeLimitExceeded | None = None
    with messaging.buffered_messages():
        try:
            outcomes.extend(send_all(claimed))
        except SoftTimeLimitExceeded as ended:
            time_up = ended
    settle(outcomes, at=at)
    release_unsent(claimed[len(outcomes) + bool(time_up) :], at=at)
    if time_up:
        raise time_up


@lru_cache(maxsize=8)
def _due(limit: int) -> PreparedQuery[Delivery]:
    return PreparedQuery(
        lambda realm, at: (
            Delivery.objects.filter(realm_id=realm, next_at__lte=at)
            .order_by("next_at", "id")
            .select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit]
        ),
        ["bigint", "timestamptz"],
    )


_NOTICES = PreparedQuery(lambda keys: Notice.objects.filter(pk__any=keys), ["uuid[]"])


@transaction.atomic
def claim_due(realm_id: int, *, at: datetime, limit: int) -> tuple[list[Delivery], int]:
    """Claim due copies; postpone those that may not be sent yet, and skip those whose notice is no longer true.

    Rows that another worker has locked are ignored. Returns the copies to send within the lease, and how many were due.
    """
    rows = _due(limit).rows(realm_id, at)
    return _claim_rows(rows, at=at), len(rows)


@transaction.atomic
def _claim_some(keys: Sequence[UUID], *, at: datetime) -> list[Delivery]:
    """Claim due copies among these."""
    due = Delivery.objects.filter(pk__in=keys, next_at__lte=at).order_by("next_at", "id")
    return _claim_rows(list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)), at=at)


def _claim_rows(rows: list[Delivery], *, at: datetime) -> list[Delivery]:
    _NOTICES.attach_related(rows, "notice")
    PEOPLE.attach_related(rows, "person")
    claimed = [
        row
        for row in rows
        if not _fail_if_exhausted(row) and not _skip_if_silenced(row) and not _postpone_to_morning(row, at=at)
    ]
    claimed = _skip_stale(claimed, at=at)
    claimed = _within_daily_limit(claimed, at=at)
    for row in claimed:
        row.tries, row.tried_at, row.next_at = row.tries + 1, at, at + LEASE
        if row.channel == _INBOX:  # the row is the message
            row.state, row.sent_at, row.next_at = _SENT, at, None
    update_all(rows, _STATE_COLUMNS)
    return [row for row in claimed if row.channel != _INBOX]


def send_all(claimed: Sequence[Delivery]) -> Iterator[tuple[Delivery, str]]:
    """Send copies until half the lease is over, and yield each with its error, which is empty on success.

    Raises:
        InsideTransactionError: a transaction is open.
    """
    if claimed and in_transaction():
        raise InsideTransactionError
    until = time.monotonic() + LEASE.total_seconds() / 2
    for row in claimed:
        if time.monotonic() >= until:
            return
        yield row, _try_send(row)


_QUEUED_ROWS = PreparedQuery(
    lambda keys: (
        Delivery.objects.filter(pk__any=keys, state=_QUEUED).select_for_update(of=("self",), no_key=True).order_by("pk")
    ),
    ["uuid[]"],
)


@transaction.atomic
def settle(outcomes: Sequence[tuple[Delivery, str]], *, at: datetime) -> None:
    """Save the outcomes. Failed copies are tried again later; those claimed again meanwhile are left alone."""
    ended = {row.id: (row.next_at, reason) for row, reason in outcomes}
    rows = _QUEUED_ROWS.rows(list(ended))
    for row in rows:
        lease, reason = ended[row.id]
        if not reason:
            row.state, row.reason, row.sent_at, row.next_at = _SENT, "", at, None
        elif row.next_at == lease:
            row.reason = reason
            row.next_at = at + RETRY_DELAYS[row.tries - 1] if row.tries <= len(RETRY_DELAYS) else None
            row.state = _QUEUED if row.next_at else _FAILED
    update_all(rows, _STATE_COLUMNS)


@transaction.atomic
def release_unsent(unsent: Sequence[Delivery], *, at: datetime) -> None:
    """Make copies that were not tried due again, without counting an attempt, unless they were claimed again."""
    leases = {row.id: row.next_at for row in unsent}
    rows = [row for row in _QUEUED_ROWS.rows(list(leases)) if row.next_at == leases[row.id]] if leases else []
    for row in rows:
        row.tries, row.next_at = row.tries - 1, at
        row.tried_at = row.tried_at if row.tries else None
    update_all(rows, _STATE_COLUMNS)


def _try_send(row: Delivery) -> str:
    """Send one copy. Returns the error's class name, as its message may contain an address; empty on success."""
    try:
        return _send(row)
    except SoftTimeLimitExceeded:
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
        send_text = messaging.send_text if live else messaging.store_sandbox_text
        send_text(phone, row.notice.body)
        return ""
    address = row.person.reveal_mail()
    if address is None:
        return "no_address"
    send_mail = messaging.send_mail if live else messaging.store_sandbox_mail
    send_mail(address, row.notice.subject, row.notice.body)
    return ""


def _fail_if_exhausted(row: Delivery) -> bool:
    """Whether the attempts are used up, because workers never settled it: then it fails."""
    if row.tries > len(RETRY_DELAYS):
        row.state, row.next_at, row.reason = _FAILED, None, row.reason or "never_settled"
    return row.state == _FAILED


def _skip_if_silenced(row: Delivery) -> bool:
    """Whether the person has silenced such copies since: then it is skipped."""
    if notice_rules.is_silenced(row.notice.stage, row.channel, row.person.silenced):
        row.state, row.next_at, row.reason = _SKIPPED, None, "silenced"
    return row.state == _SKIPPED


def _postpone_to_morning(row: Delivery, *, at: datetime) -> bool:
    """Whether it is within the person's quiet hours: then it waits until they end."""
    if not notice_rules.respects_quiet_hours(row.notice.stage, row.channel):
        return False
    row.next_at = notice_rules.next_allowed_time(at, row.person.zone, row.person.notification_hours)
    return row.next_at > at


def _skip_stale(rows: Sequence[Delivery], *, at: datetime) -> list[Delivery]:
    """Skip copies whose notice is no longer true, and return the others.

    The setting NOTICES_STANDING names the function that knows, as it belongs to a layer above.
    """
    find_stale_notices: FindStaleNotices = import_string(settings.NOTICES_STANDING)
    stale = find_stale_notices([row.notice for row in rows], at) if rows else {}
    for row in rows:
        if row.notice_id in stale:
            row.state, row.reason, row.next_at = _SKIPPED, stale[row.notice_id][:60], None
    return [row for row in rows if row.state == _QUEUED]


def _within_daily_limit(rows: Sequence[Delivery], *, at: datetime) -> list[Delivery]:
    """The copies within the daily limit of demands; the others wait until the next morning.

    Each person is locked while their demands are counted, so that two workers cannot both send the last one.
    """
    person_ids = {row.person_id for row in rows if row.collection}
    if not person_ids:
        return list(rows)
    people = Person.objects.filter(pk__in=person_ids).select_for_update(skip_locked=True, no_key=True).order_by("pk")
    zones = dict(people.values_list("id", "zone"))
    today = contacts.contacts_today(zones, at=at)
    allowed = []
    for row in rows:
        if not row.collection:
            allowed.append(row)
        elif row.person_id in zones:  # else another worker is counting: the copy stays due
            demands = today[row.person_id]
            if row.notice_id in demands or len(demands) < notice_rules.DEMANDS_PER_DAY:
                demands.add(row.notice_id)
                allowed.append(row)
            else:
                row.next_at = notice_rules.next_morning(at, zones[row.person_id])
    return allowed


SWEEP = Sweep(
    name="notices",
    process_batch=deliver_due,
    first_due_sql="SELECT min(next_at) FROM accounts_delivery WHERE realm_id = %(realm)s AND next_at IS NOT NULL",
    model=Delivery,
    due_column="next_at",
)
