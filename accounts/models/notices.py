"""What people are told: the words, what was written with them, and how each copy of it got on."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models.people import Person
from kernel import guards
from kernel.models import Identified, Realm
from kernel.versions import REASON_MAX

LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LANGUAGE_LENGTH, STAGE_LENGTH, EPISODE_LENGTH, SUBJECT_LENGTH = 10, 20, 40, 200


class NoticeTemplate(Identified):
    """The words for one stage in one language. Another wording is another version; the latest is used."""

    prefix = "tpl"
    append_only: ClassVar[bool] = True

    key = models.CharField(max_length=STAGE_LENGTH)
    language = models.CharField(max_length=LANGUAGE_LENGTH, choices=LANGUAGES)
    version = models.PositiveIntegerField()
    subject = models.CharField(max_length=SUBJECT_LENGTH)
    body = models.TextField()
    #: Why it was published; empty of what came with the software, and of versions from before it was asked for.
    reason = models.CharField(max_length=REASON_MAX, blank=True, db_default="")
    by = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        ordering = ["key", "language", "version"]
        constraints = [
            models.UniqueConstraint(fields=["key", "language", "version"], name="a_wording_is_published_once"),
            models.CheckConstraint(name="versions_count_from_one", condition=Q(version__gte=1)),
        ]
        triggers = guards.append_only()


class Notice(Identified):
    """One thing a person is told, in the words it was told in. Append-only; each stage at most once an episode."""

    prefix = "ntc"
    append_only: ClassVar[bool] = True
    #: What is emptied when its person leaves: that they were told stays, what they were told does not.
    erasable: ClassVar[tuple[str, ...]] = ("subject", "body")

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="notices", db_index=False)
    stage = models.CharField(max_length=STAGE_LENGTH)
    #: What it is about: an obligation, or a deduction that ended.
    about = models.UUIDField()
    #: Which time round: the planned or due moment; empty where there is only one.
    episode = models.CharField(max_length=EPISODE_LENGTH, blank=True)
    #: The order to show beside it; empty when it is about several.
    order_id = models.UUIDField(null=True, blank=True)
    language = models.CharField(max_length=LANGUAGE_LENGTH, choices=LANGUAGES)
    subject = models.CharField(max_length=SUBJECT_LENGTH)
    body = models.TextField()
    #: The moment it speaks of: when money is or was to be taken, or was due.
    due_at = models.DateTimeField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["about", "stage", "episode"], name="a_stage_is_told_once_an_episode"),
        ]
        indexes = [models.Index(fields=["person", "-id"], name="notices_of_person")]
        triggers = guards.only_erased(
            "subject",
            "body",
            kept=["id", "realm_id", "person_id", "stage", "about", "episode", "order_id", "language", "due_at", "at"],
        )


class Delivery(Identified):
    """One copy of a notice on its way by one channel. Whereto is not kept here: it is read off the person when sent."""

    prefix = "dlv"

    class Channel(models.TextChoices):
        INBOX = "inbox"
        SMS = "sms"
        MAIL = "mail"

    class State(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        FAILED = "failed"
        SKIPPED = "skipped"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="+", db_index=False)
    notice = models.ForeignKey(Notice, models.PROTECT, related_name="deliveries", db_index=False)
    channel = models.CharField(max_length=5, choices=Channel.choices)
    #: Whether it asks for an overdue debt, and so counts against what a person may be asked in a day.
    collection = models.BooleanField(default=False)
    state = models.CharField(max_length=7, choices=State.choices, default=State.QUEUED)
    #: Why it was skipped, or what the last try ended with; never an address.
    reason = models.CharField(max_length=60, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    #: When it is to be sent; while somebody is sending it, when others may take it for lost.
    next_at = models.DateTimeField(null=True, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    #: When it was first shown to the person: only of what stands in the inbox is that known.
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["notice", "channel"], name="a_notice_takes_a_channel_once"),
            models.CheckConstraint(
                name="exactly_what_is_queued_is_due",
                condition=Q(state="queued", next_at__isnull=False) | (~Q(state="queued") & Q(next_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="what_was_sent_says_when", condition=~Q(state="sent") | Q(sent_at__isnull=False)
            ),
            models.CheckConstraint(
                name="only_what_stands_in_the_inbox_is_read",
                condition=Q(read_at__isnull=True) | Q(channel="inbox", state="sent"),
            ),
        ]
        indexes = [
            models.Index(fields=["realm", "next_at"], name="deliveries_due", condition=Q(next_at__isnull=False)),
            models.Index(
                fields=["person", "tried_at"],
                name="contacts_of_person",
                condition=Q(collection=True, tried_at__isnull=False),
            ),
            models.Index(
                fields=["person"],
                name="inbox_unread",
                condition=Q(channel="inbox", state="sent", read_at__isnull=True),
            ),
        ]
