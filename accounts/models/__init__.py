from accounts.models.contacts import Contact
from accounts.models.enrolment import EnrolmentCode
from accounts.models.events import AccountEvent
from accounts.models.notices import Delivery, Notice, NoticeTemplate
from accounts.models.people import (
    DEFAULT_LANGUAGE,
    DEFAULT_ZONE,
    REF_LENGTH_MAX,
    LocalMessage,
    LockableQuerySet,
    Person,
    User,
    UserManager,
    phone_index,
)

__all__ = [
    "DEFAULT_LANGUAGE",
    "DEFAULT_ZONE",
    "REF_LENGTH_MAX",
    "AccountEvent",
    "Contact",
    "Delivery",
    "EnrolmentCode",
    "LocalMessage",
    "LockableQuerySet",
    "Notice",
    "NoticeTemplate",
    "Person",
    "User",
    "UserManager",
    "phone_index",
]
