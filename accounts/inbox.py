"""What people are told, written with the fact itself; and the words for it, which staff may change."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, connection, transaction
from django.db.models import F, FilteredRelation, Max, Q, QuerySet
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import wording
from accounts.models import DEFAULT_LANGUAGE, Delivery, Notice, NoticeTemplate, Person
from accounts.models.notices import LANGUAGES
from accounts.refusals import WordsMoved
from accounts.wording import Phrase, Value
from kernel.actor import Actor
from kernel.money import Money
from kernel.prepared import Reading
from kernel.refusal import FieldError, Invalid, NotFound
from kernel.transactions import joined
from kernel.versions import wrong_reason
from kernel.writes import insert_all

log = structlog.get_logger(__name__)
_INBOX, _SMS, _MAIL = Delivery.Channel.INBOX, Delivery.Channel.SMS, Delivery.Channel.MAIL
#: How far the unread are counted: nobody reads them off a badge one by one.
UNREAD_MAX = 100
_UNREAD = Q(channel=_INBOX, state=Delivery.State.SENT, read_at__isnull=True)
_UNREAD_BY = Reading(
    lambda person_id: Delivery.objects.filter(_UNREAD, person_id=person_id).order_by().values_list("pk")[:UNREAD_MAX],
    ["uuid"],
)
#: Two writers of the same stage meet here; the second waits, and then writes nothing.
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
class Item:
    """One thing to tell one person: the stage, what it is about, and the plain values its words name."""

    person_id: UUID
    stage: str
    about: UUID
    due_at: datetime
    values: Mapping[str, Value]
    episode: str = ""
    order_id: UUID | None = None
    #: It stands in the inbox and disturbs nobody.
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """A subject and a body."""

    subject: str
    body: str


PEOPLE = Reading(lambda keys: Person.objects.filter(pk__any=keys).select_related("user"), ["uuid[]"])
_WORDS = Reading(
    lambda stages: (
        NoticeTemplate.objects.filter(key__any=stages)
        .order_by("key", "language", "-version")
        .distinct("key", "language")
        .values_list("key", "language", "subject", "body")
    ),
    ["text[]"],
)


@joined()
def write_notices(items: Iterable[Item], *, realm_id: int, at: datetime) -> int:
    """People are told these things, in the transaction of the fact. Returns how many had not been told before.

    Four statements, however many items. What leaves the house is queued, and sent by `accounts.deliver`.
    """
    wanted = sorted(items, key=lambda item: (item.about, item.stage, item.episode))
    if not wanted:
        return 0
    keys = {item.person_id for item in wanted}
    people = {person.id: person for person in PEOPLE.rows(list(keys))}
    words = _words_for({item.stage for item in wanted})
    pairs = []
    for item in wanted:
        person = people[item.person_id]
        if person.user is not None and not person.user.is_active:
            continue  # they have left: what comes back to them later is between the merchant and their bank
        language = person.user.language if person.user else DEFAULT_LANGUAGE
        found = words.get((item.stage, language)) or words.get((item.stage, DEFAULT_LANGUAGE))
        if found is None:
            log.error("no_words_for_a_notice", stage=item.stage)  # money must not wait for words
            continue
        pairs.append((item, _notice(item, person, found, language, realm_id=realm_id, at=at)))
    told = _insert([notice for _, notice in pairs], realm_id=realm_id, at=at)
    new = ((item, notice) for item, notice in pairs if notice.id in told)
    insert_all(
        [copy for item, notice in new for copy in _copies(notice, people[item.person_id], quiet=item.quiet, at=at)]
    )
    return len(told)


def episode_of(moment: datetime) -> str:
    """The name of an episode that is a moment."""
    return moment.astimezone(UTC).isoformat()


def inbox_of(person_id: UUID, *, unread: bool = False) -> QuerySet[Notice]:
    """What stands in a person's inbox, newest first, each with when it arrived and when it was first opened."""
    rows = Notice.objects.annotate(copy=FilteredRelation("deliveries", condition=Q(deliveries__channel=_INBOX)))
    arrived = rows.filter(person_id=person_id, copy__state=Delivery.State.SENT)
    arrived = arrived.filter(copy__read_at__isnull=True) if unread else arrived
    return arrived.annotate(arrived_at=F("copy__sent_at"), read_at=F("copy__read_at")).order_by("-id")


def notice_of(person_id: UUID, notice_id: UUID) -> Any:
    """One of what stands in a person's inbox, with when it arrived and when it was first opened.

    Raises:
        NotFound: it is not theirs, or has not arrived.
    """
    found = inbox_of(person_id).filter(pk=notice_id).first()
    if found is None:
        raise NotFound
    return found


def copies_of(notice_id: UUID) -> list[Delivery]:
    """The copies of a notice that left the house, in the order in which they did."""
    copies = Delivery.objects.filter(notice_id=notice_id, state=Delivery.State.SENT).exclude(channel=_INBOX)
    return list(copies.order_by("sent_at", "id"))


def unread_by(person_id: UUID) -> int:
    """How much of a person's inbox was never opened by them, up to UNREAD_MAX."""
    return len(_UNREAD_BY.rows(person_id))


@transaction.atomic
def mark_read(notices: Iterable[Notice], *, at: datetime) -> None:
    """These were opened by their person. What another page of theirs is marking at this moment is left to it."""
    _mark(Delivery.objects.filter(_UNREAD, notice__in=[notice.id for notice in notices]), at=at)


@transaction.atomic
def mark_all_read(person_id: UUID, *, at: datetime) -> int:
    """Whatever stands unread in a person's inbox is read. Returns how many that were."""
    return _mark(Delivery.objects.filter(_UNREAD, person_id=person_id), at=at)


def _mark(found: QuerySet[Delivery], *, at: datetime) -> int:
    keys = list(found.select_for_update(skip_locked=True, of=("self",), no_key=True).values_list("pk", flat=True))
    return Delivery.objects.filter(pk__in=keys).update(read_at=at) if keys else 0


def publish_template(
    key: str, language: str, words: Words, reason: str, *, after: int | None = None, by: Actor, at: datetime
) -> NoticeTemplate:
    """Other words for a stage from now on; what was told already keeps its own.

    Whoever read version `after` before writing these says so.

    Raises:
        Invalid: the stage, the language, a text or the reason is unknown, empty, too long, or names what is not there.
        WordsMoved: somebody published for it meanwhile.
    """
    _judge(key, language, words)
    if wrong := wrong_reason(reason):
        raise Invalid(errors=wrong)
    last = NoticeTemplate.objects.filter(key=key, language=language).aggregate(last=Max("version"))["last"] or 0
    if after is not None and after != last:
        raise WordsMoved
    made = {"key": key, "language": language, "version": last + 1, "reason": reason.strip()}
    try:
        with transaction.atomic():
            return NoticeTemplate.objects.create(**made, subject=words.subject, body=words.body, by=str(by), at=at)
    except IntegrityError:
        raise WordsMoved from None


def latest_templates() -> dict[tuple[str, str], NoticeTemplate]:
    """The words in use, by stage and language."""
    rows = NoticeTemplate.objects.order_by("key", "language", "-version").distinct("key", "language")
    return {(row.key, row.language): row for row in rows}


def preview(key: str, language: str, words: Words, *, at: datetime) -> Words:
    """How it would read to somebody.

    Raises:
        Invalid: as publishing it would.
    """
    _judge(key, language, words)
    values: dict[str, Value] = {
        "merchant": Phrase({"zh-hans": "来电充电宝", "en": "Power Bank & Co"}),
        "what": Phrase({"zh-hans": "充电宝 PB-7", "en": "Power bank PB-7"}),
        "amount": Money(1234),
        "when": at,
        "link": "https://example.com/orders/ord_0",
        "instrument": Phrase({"zh-hans": "招商银行 ****1234", "en": "Merchants Bank ****1234"}),
        "reason": Phrase({"zh-hans": "余额不足", "en": "insufficient funds"}),
        "how": Phrase({"zh-hans": "已原路退回。", "en": "It was refunded to the original payment method."}),
        "next": Phrase({"zh-hans": "将于 {when} 再次扣款。", "en": "We will try again on {when}."}, {"when": at}),
    }
    return _filled(words, values, language=language, zone="Asia/Shanghai")


def _judge(key: str, language: str, words: Words) -> None:
    if key not in wording.PLACEHOLDERS:
        raise Invalid(errors=[FieldError("/key", f"one of {', '.join(wording.PLACEHOLDERS)}")])
    if language not in dict(LANGUAGES):
        raise Invalid(errors=[FieldError("/language", f"one of {', '.join(dict(LANGUAGES))}")])
    errors = []
    for name, text, most in (("subject", words.subject, wording.SUBJECT_MAX), ("body", words.body, wording.BODY_MAX)):
        if not 0 < len(text.strip()) <= most:
            errors.append(FieldError(f"/{name}", format_lazy(_("1 to {most} characters."), most=most)))
        never = _("“{slot}” is not an available placeholder.")
        errors += [FieldError(f"/{name}", format_lazy(never, slot=bad)) for bad in wording.misplaced(key, text)]
    if not words.subject.isprintable():
        errors.append(FieldError("/subject", _("One line of printable characters.")))
    if not words.body.replace("\n", "").isprintable():
        errors.append(FieldError("/body", _("Printable characters and line feeds.")))
    if errors:
        raise Invalid(errors=errors)


def _words_for(stages: set[str]) -> dict[tuple[str, str], Words]:
    """The latest words of each stage and language."""
    return {(key, language): Words(subject, body) for key, language, subject, body in _WORDS.rows(list(stages))}


def _filled(words: Words, values: Mapping[str, Value], *, language: str, zone: str) -> Words:
    subject = wording.fill(words.subject, values, language=language, zone=zone)
    return Words(subject[: wording.SUBJECT_MAX * 2], wording.fill(words.body, values, language=language, zone=zone))


def _notice(item: Item, person: Person, words: Words, language: str, *, realm_id: int, at: datetime) -> Notice:
    told = _filled(words, item.values, language=language, zone=person.zone)
    return Notice(
        realm_id=realm_id,
        person=person,
        stage=item.stage,
        about=item.about,
        episode=item.episode,
        order_id=item.order_id,
        language=language,
        subject=told.subject,
        body=told.body,
        due_at=item.due_at,
        at=at,
    )


def _insert(notices: Sequence[Notice], *, realm_id: int, at: datetime) -> set[UUID]:
    """Writes those that were not told before; which ones."""
    if not notices:
        return set()
    columns = ("id", "person_id", "stage", "about", "episode", "order_id", "language", "subject", "body", "due_at")
    arrays = [[getattr(notice, column) for notice in notices] for column in columns]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [realm_id, at, *arrays])
        return {row[0] for row in cursor.fetchall()}


def _copies(notice: Notice, person: Person, *, quiet: bool, at: datetime) -> list[Delivery]:
    """The ways it goes. What asks for an overdue debt goes out by one of them: each is a contact that counts."""
    collection, user = notice.stage.startswith(wording.COLLECTION), person.user
    out = [
        channel
        for channel, reached in ((_SMS, user and user.phone_sealed), (_MAIL, person.mail_sealed))
        if reached and not quiet and not wording.unwanted(notice.stage, channel, person.silenced)
    ]
    return [
        _copy(notice, person, channel, collection=collection, at=at)
        for channel in (_INBOX, *(out[:1] if collection else out))
    ]


def _copy(notice: Notice, person: Person, channel: str, *, collection: bool, at: datetime) -> Delivery:
    copy = Delivery(
        realm_id=notice.realm_id, person_id=notice.person_id, notice=notice, channel=channel, collection=collection
    )
    if channel == _INBOX and not collection:
        copy.state, copy.sent_at = Delivery.State.SENT, at
    else:
        copy.next_at = wording.awake(at, person.zone, person.hours) if wording.rings(notice.stage, channel) else at
    return copy
