"""What a test of notices says again and again: somebody, something to tell them, and what a sweep sends."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import LazySettings

from accounts import deliver
from accounts import services as accounts
from accounts.inbox import Item, write_notices
from accounts.models import LocalMessage, Notice, Person, User
from accounts.wording import Phrase
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.models import LIVE
from kernel.money import Money

NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)  # in Shanghai
NIGHT = NOON + timedelta(hours=11)
MORNING = NOON + timedelta(hours=20)
DAY = timedelta(days=1)
BY = Actor.system("test")
GONE: dict[UUID, str] = {}


def standing(notices: Sequence[Notice], _at: datetime) -> Mapping[UUID, str]:
    """What the floors above would say."""
    return {notice.id: GONE[notice.about] for notice in notices if notice.about in GONE}


class Broken:
    def send(self, phone: str, text: str) -> None:  # noqa: ARG002  the port's signature
        raise ConnectionError(f"{phone} is out of reach")


def someone(
    phone: str = "+8613800138000", *, realm_id: int = LIVE, language: str = "zh-hans", email: str = ""
) -> Person:
    person = accounts.register_person(phone, realm_id=realm_id, by=BY, at=NOON)
    User.objects.filter(pk=person.user_id).update(language=language)
    person.take_mail(email)
    person.save(update_fields=["mail_sealed"])
    return person


def item(person: Person, stage: str = "debit_succeeded", **more: Any) -> Item:
    values = {
        "merchant": "来电充电宝",
        "what": "充电宝",
        "amount": Money(1234),
        "when": NOON,
        "link": "https://x.example/o",
        "instrument": "银行卡",
        "reason": Phrase({"zh-hans": "余额不足", "en": "not enough money"}),
        "next": Phrase({"zh-hans": "将于{when}再次扣款。", "en": "Again on {when}."}, {"when": NOON + DAY}),
    } | more.pop("values", {})
    standard = {"person_id": person.id, "stage": stage, "about": uuid7(), "due_at": NOON, "values": values}
    return Item(**(standard | more))


def tell(*items: Item, at: datetime = NOON, realm_id: int = LIVE) -> int:
    return write_notices(items, realm_id=realm_id, at=at)


def sent(at: datetime, *, realm_id: int = LIVE, limit: int = 100) -> list[str]:
    """The texts and mails that a sweep at this time sends."""
    before = set(LocalMessage.objects.values_list("id", flat=True))
    deliver.deliver_due(realm_id, at=at, limit=limit)
    return list(LocalMessage.objects.exclude(id__in=before).order_by("id").values_list("text", flat=True))


@contextmanager
def having(settings: LazySettings, **changes: Any) -> Iterator[None]:
    """Settings that hold inside only."""
    before = {name: getattr(settings, name) for name in changes}
    for name, value in changes.items():
        setattr(settings, name, value)
    yield
    for name, value in before.items():
        setattr(settings, name, value)
