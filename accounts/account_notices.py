"""Changes to an account, such as a new passkey or phone number: recorded, and notified to its owner."""

from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.utils.module_loading import import_string

from accounts import notice_rules, notices
from accounts.models import AccountEvent, Person
from accounts.notice_rules import Value
from kernel.actor import Actor

#: Texts for security changes of an account, by the value `done` of the event.
CHANGE_PHRASES = {
    "app_added": notice_rules.Phrase({"zh-hans": "已添加验证器", "en": "an authenticator app was added"}),
    "app_removed": notice_rules.Phrase({"zh-hans": "已移除验证器", "en": "the authenticator app was removed"}),
    "passkey_added": notice_rules.Phrase({"zh-hans": "已添加通行密钥", "en": "a passkey was added"}),
    "passkey_removed": notice_rules.Phrase({"zh-hans": "已移除通行密钥", "en": "a passkey was removed"}),
    "codes_renewed": notice_rules.Phrase({"zh-hans": "已更换恢复码", "en": "the recovery codes were renewed"}),
    "all_removed": notice_rules.Phrase(
        {"zh-hans": "客服已关闭两步验证", "en": "our staff turned off two-step verification"}
    ),
    "password_changed": notice_rules.Phrase({"zh-hans": "密码已修改", "en": "the password was changed"}),
}


def notify_account_change(
    person: Person, stage: str, phrase: Value, *, by: Actor, at: datetime, **data: object
) -> None:
    """Record a change to the person's account, and notify them at once."""
    event = record_person_event(person, stage, by=by, at=at, **data)
    now = person.realm.now(at)
    item = notices.NewNotice(
        person_id=person.id,
        stage=stage,
        about=event.id,
        due_at=now,
        values={"what": phrase, "when": now, "link": f"{settings.BASE_URL}/settings/"},
    )
    notices.write_notices([item], realm_id=person.realm_id, at=now)


def notify_staff(event: AccountEvent) -> None:
    """Notify a staff user of a change to their account, by the function that the setting STAFF_TOLD names."""
    notify: Callable[[AccountEvent], None] = import_string(settings.STAFF_TOLD)
    notify(event)


def describe_change(event: AccountEvent, language: str) -> str:
    """The text of the change in this language."""
    return CHANGE_PHRASES[event.data.get("done", event.kind)].texts[language]


def record_person_event(person: Person, kind: str, *, by: Actor, at: datetime, **data: object) -> AccountEvent:
    return AccountEvent.objects.create(user_id=person.user_id, person=person, kind=kind, by=str(by), at=at, data=data)
