"""Notices to people: created in the same transaction as the fact, listed in the inbox, and marked as read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import F, FilteredRelation, Q, QuerySet

from accounts import notice_rules, notice_templates
from accounts.models import DEFAULT_LANGUAGE, Delivery, Notice, Person
from accounts.notice_rules import Value
from kernel.bulk_writes import insert_all
from kernel.prepared_statements import PreparedQuery
from kernel.refusal import NotFound
from kernel.transactions import join_transaction

log = structlog.get_logger(__name__)
_INBOX, _SMS, _MAIL = Delivery.Channel.INBOX, Delivery.Channel.SMS, Delivery.Channel.MAIL
#: Unread notices are counted up to this number, for a badge.
UNREAD_MAX = 100
_UNREAD = Q(channel=_INBOX, state=Delivery.State.SENT, read_at__isnull=True)
_UNREAD_OF_PERSON = PreparedQuery(
    lambda person_id: Delivery.objects.filter(_UNREAD, person_id=person_id).order_by().values_list("pk")[:UNREAD_MAX],
    ["uuid"],
)
#: If two transactions create the same notice, the second waits for the first and then inserts nothing.
_INSERT = """
INSERT INTO accounts_notice
    (id, realm_id, person_id, stage, about, episode, order_id, language, subject, body, due_at, at)
SELECT id, %s, person_id, stage, about, episode, order_id, language, subject, body, due_at, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::uuid[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::text[],
            %s::timestamptz[])
    AS new (id, person_id, stage, about, episode, order_id, language, subject, body, due_at)
ON CONFLICT (about, stage, episode) DO NOTHING RETURNING id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotice:
    """A notice to create: its person and stage, what it is about, and the values of its placeholders."""

    person_id: UUID
    stage: str
    about: UUID
    due_at: datetime
    values: Mapping[str, Value]
    episode: str = ""
    order_id: UUID | None = None
    #: For the inbox only, without text message or email.
    quiet: bool = False


PEOPLE = PreparedQuery(lambda keys: Person.objects.filter(pk__any=keys).select_related("user"), ["uuid[]"])


@join_transaction()
def write_notices(items: Iterable[NewNotice], *, realm_id: int, at: datetime) -> int:
    """Create notices in the transaction of the fact. Returns how many did not exist before.

    Four statements, however many items. Text messages and emails are queued, and sent by `accounts.deliver`.
    """
    new_notices = sorted(items, key=lambda item: (item.about, item.stage, item.episode))
    if not new_notices:
        return 0
    keys = {item.person_id for item in new_notices}
    people = {person.id: person for person in PEOPLE.rows(list(keys))}
    texts = notice_templates.latest_texts({item.stage for item in new_notices})
    pairs = []
    for item in new_notices:
        person = people[item.person_id]
        if person.user is not None and not person.user.is_active:
            continue  # the account is closed or erased
        language = person.user.language if person.user else DEFAULT_LANGUAGE
        text = texts.get((item.stage, language)) or texts.get((item.stage, DEFAULT_LANGUAGE))
        if text is None:
            log.error("no_words_for_a_notice", stage=item.stage)  # a missing template must not block the payment
            continue
        pairs.append((item, _build_notice(item, person, text, language, realm_id=realm_id, at=at)))
    created = _insert_new([notice for _, notice in pairs], realm_id=realm_id, at=at)
    new = ((item, notice) for item, notice in pairs if notice.id in created)
    insert_all(
        [
            copy
            for item, notice in new
            for copy in _build_deliveries(notice, people[item.person_id], quiet=item.quiet, at=at)
        ]
    )
    return len(created)


def episode_of(moment: datetime) -> str:
    """The episode of a notice that is identified by a moment."""
    return moment.astimezone(UTC).isoformat()


def inbox_of(person_id: UUID, *, unread: bool = False) -> QuerySet[Notice]:
    """The notices in a person's inbox, newest first, each with `arrived_at` and `read_at`."""
    rows = Notice.objects.annotate(copy=FilteredRelation("deliveries", condition=Q(deliveries__channel=_INBOX)))
    arrived = rows.filter(person_id=person_id, copy__state=Delivery.State.SENT)
    arrived = arrived.filter(copy__read_at__isnull=True) if unread else arrived
    return arrived.annotate(arrived_at=F("copy__sent_at"), read_at=F("copy__read_at")).order_by("-id")


def notice_of(person_id: UUID, notice_id: UUID) -> Any:
    """One notice in a person's inbox, with `arrived_at` and `read_at`.

    Raises:
        NotFound: it is not theirs, or has not arrived.
    """
    notice = inbox_of(person_id).filter(pk=notice_id).first()
    if notice is None:
        raise NotFound
    return notice


def sent_copies_of(notice_id: UUID) -> list[Delivery]:
    """The copies of a notice that were sent by text message or email, in the order of sending."""
    copies = Delivery.objects.filter(notice_id=notice_id, state=Delivery.State.SENT).exclude(channel=_INBOX)
    return list(copies.order_by("sent_at", "id"))


def unread_count(person_id: UUID) -> int:
    """The number of unread notices in a person's inbox, up to UNREAD_MAX."""
    return len(_UNREAD_OF_PERSON.rows(person_id))


@transaction.atomic
def mark_read(notices: Iterable[Notice], *, at: datetime) -> None:
    """Mark notices as read, except those that a concurrent request has locked to do the same."""
    _mark_read(Delivery.objects.filter(_UNREAD, notice__in=[notice.id for notice in notices]), at=at)


@transaction.atomic
def mark_all_read(person_id: UUID, *, at: datetime) -> int:
    """Mark all notices of a person as read. Returns how many were unread."""
    return _mark_read(Delivery.objects.filter(_UNREAD, person_id=person_id), at=at)


def _mark_read(unread: QuerySet[Delivery], *, at: datetime) -> int:
    keys = list(unread.select_for_update(skip_locked=True, of=("self",), no_key=True).values_list("pk", flat=True))
    return Delivery.objects.filter(pk__in=keys).update(read_at=at) if keys else 0


def _build_notice(
    item: NewNotice, person: Person, text: notice_templates.NoticeText, language: str, *, realm_id: int, at: datetime
) -> Notice:
    filled = notice_templates.fill_text(text, item.values, language=language, zone=person.zone)
    return Notice(
        realm_id=realm_id,
        person=person,
        stage=item.stage,
        about=item.about,
        episode=item.episode,
        order_id=item.order_id,
        language=language,
        subject=filled.subject,
        body=filled.body,
        due_at=item.due_at,
        at=at,
    )


def _insert_new(notices: Sequence[Notice], *, realm_id: int, at: datetime) -> set[UUID]:
    """Insert the notices that do not exist yet. Returns their ids."""
    if not notices:
        return set()
    columns = ("id", "person_id", "stage", "about", "episode", "order_id", "language", "subject", "body", "due_at")
    arrays = [[getattr(notice, column) for notice in notices] for column in columns]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [realm_id, at, *arrays])
        return {row[0] for row in cursor.fetchall()}


def _build_deliveries(notice: Notice, person: Person, *, quiet: bool, at: datetime) -> list[Delivery]:
    """The copies of a notice. Demands for overdue debts use only one channel, as each copy counts as a contact."""
    collection, user = notice.stage.startswith(notice_rules.OVERDUE_PREFIX), person.user
    outbound = [
        channel
        for channel, has_address in ((_SMS, user and user.phone_sealed), (_MAIL, person.mail_sealed))
        if has_address and not quiet and not notice_rules.is_silenced(notice.stage, channel, person.silenced)
    ]
    return [
        _build_delivery(notice, person, channel, collection=collection, at=at)
        for channel in (_INBOX, *(outbound[:1] if collection else outbound))
    ]


def _build_delivery(notice: Notice, person: Person, channel: str, *, collection: bool, at: datetime) -> Delivery:
    copy = Delivery(
        realm_id=notice.realm_id, person_id=notice.person_id, notice=notice, channel=channel, collection=collection
    )
    if channel == _INBOX and not collection:
        copy.state, copy.sent_at = Delivery.State.SENT, at
    else:
        copy.next_at = (
            notice_rules.next_allowed_time(at, person.zone, person.notification_hours)
            if notice_rules.respects_quiet_hours(notice.stage, channel)
            else at
        )
    return copy
