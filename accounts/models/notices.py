"""Notices to people: templates, notices, and the delivery of their copies by each channel."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models.people import Person
from kernel import guards
from kernel.models import Identified, Realm
from kernel.policy_versions import REASON_MAX

LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LANGUAGE_LENGTH, STAGE_LENGTH, EPISODE_LENGTH, SUBJECT_LENGTH = 10, 20, 40, 200


class NoticeTemplate(Identified):
    """One version of the text for one stage in one language. The latest version is used."""

    prefix = "tpl"
    append_only: ClassVar[bool] = True

    key = models.CharField(max_length=STAGE_LENGTH)
    language = models.CharField(max_length=LANGUAGE_LENGTH, choices=LANGUAGES)
    version = models.PositiveIntegerField()
    subject = models.CharField(max_length=SUBJECT_LENGTH)
    body = models.TextField()
    #: Why it was published; empty for texts shipped with the software and for versions older than this column.
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
    """A notice to a person, with its final text. Append-only; each stage at most once an episode."""

    prefix = "ntc"
    append_only: ClassVar[bool] = True
    #: Cleared when the person is erased: the row stays, its text does not.
    erasable: ClassVar[tuple[str, ...]] = ("subject", "body")

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.PROTECT, related_name="notices", db_index=False)
    stage = models.CharField(max_length=STAGE_LENGTH)
    #: What it is about, such as an obligation, a finished deduction or an account event.
    about = models.UUIDField()
    #: Tells repeated notices of a stage apart: the planned or due moment; empty if there is only one.
    episode = models.CharField(max_length=EPISODE_LENGTH, blank=True)
    #: The order to link to; NULL if it is about several or none.
    order_id = models.UUIDField(null=True, blank=True)
    language = models.CharField(max_length=LANGUAGE_LENGTH, choices=LANGUAGES)
    subject = models.CharField(max_length=SUBJECT_LENGTH)
    body = models.TextField()
    #: The moment that the text mentions: of the deduction, or the due time.
    due_at = models.DateTimeField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["about", "stage", "episode"], name="a_stage_is_told_once_an_episode"),
        ]
        indexes = [models.Index(fields=["person", "-id"], name="notices_of_person")]
        triggers = guards.append_only_but_erasable(
            "subject",
            "body",
            protected=[
                "id",
                "realm_id",
                "person_id",
                "stage",
                "about",
                "episode",
                "order_id",
                "language",
                "due_at",
                "at",
            ],
        )


class Delivery(Identified):
    """The copy of a notice for one channel. The address is not stored here: it is read from the person when sending."""

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
    #: Whether it demands an overdue debt, and so counts towards the daily limit of contacts.
    collection = models.BooleanField(default=False)
    state = models.CharField(max_length=7, choices=State.choices, default=State.QUEUED)
    #: Why it was skipped, or how the last attempt failed; never an address.
    reason = models.CharField(max_length=60, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    #: When it is due; while a worker sends it, the end of the worker's lease.
    next_at = models.DateTimeField(null=True, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    #: When the person first opened it; known for the inbox only.
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
