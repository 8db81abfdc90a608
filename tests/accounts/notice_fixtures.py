"""Helpers of tests of notices: a person, new notices, and the texts that a delivery run sends."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import LazySettings

from accounts import deliver
from accounts import services as accounts
from accounts.models import LocalMessage, Notice, Person, User
from accounts.notice_rules import Phrase
from accounts.notices import NewNotice, write_notices
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.models import LIVE
from kernel.money import Money

NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)  # in Shanghai
NIGHT = NOON + timedelta(hours=11)
MORNING = NOON + timedelta(hours=20)
DAY = timedelta(days=1)
BY = Actor.system("test")
STALE: dict[UUID, str] = {}


def stale_notices(notices: Sequence[Notice], _at: datetime) -> Mapping[UUID, str]:
    """Stands for the function of a layer above that NOTICES_STANDING names."""
    return {notice.id: STALE[notice.about] for notice in notices if notice.about in STALE}


class BrokenSmsBackend:
    def send(self, phone: str, text: str) -> None:  # noqa: ARG002  the port's signature
        raise ConnectionError(f"{phone} is out of reach")


def create_person(
    phone: str = "+8613800138000", *, realm_id: int = LIVE, language: str = "zh-hans", email: str = ""
) -> Person:
    person = accounts.register_person(phone, realm_id=realm_id, by=BY, at=NOON)
    User.objects.filter(pk=person.user_id).update(language=language)
    person.set_mail(email)
    person.save(update_fields=["mail_sealed"])
    return person


def new_notice(person: Person, stage: str = "debit_succeeded", **more: Any) -> NewNotice:
    values = {
        "merchant": "来电充电宝",
        "what": "充电宝",
        "amount": Money(1234),
        "when": NOON,
        "link": "https://x.example/o",
        "instrument": "银行卡",
        "reason": Phrase({"zh-hans": "余额不足", "en": "not enough money"}),
        "plan": Phrase({"zh-hans": "将于{when}扣款", "en": "is deducted on {when}"}, {"when": NOON + DAY}),
        "next": Phrase({"zh-hans": "将于{when}再次扣款。", "en": "Again on {when}."}, {"when": NOON + DAY}),
    } | more.pop("values", {})
    standard = {"person_id": person.id, "stage": stage, "about": uuid7(), "due_at": NOON, "values": values}
    return NewNotice(**(standard | more))


def write(*items: NewNotice, at: datetime = NOON, realm_id: int = LIVE) -> int:
    return write_notices(items, realm_id=realm_id, at=at)


def deliver_texts(at: datetime, *, realm_id: int = LIVE, limit: int = 100) -> list[str]:
    """The texts and mails that a delivery run at this time sends."""
    before = set(LocalMessage.objects.values_list("id", flat=True))
    deliver.deliver_due(realm_id, at=at, limit=limit)
    return list(LocalMessage.objects.exclude(id__in=before).order_by("id").values_list("text", flat=True))


@contextmanager
def override(settings: LazySettings, **changes: Any) -> Iterator[None]:
    """Settings for this block only."""
    before = {name: getattr(settings, name) for name in changes}
    for name, value in changes.items():
        setattr(settings, name, value)
    yield
    for name, value in before.items():
        setattr(settings, name, value)
