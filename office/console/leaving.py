"""Two colleagues let a third one go."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import colleagues
from accounts.models import User
from kernel.actor import Actor
from kernel.console_actions import Verb, Words
from office.services import handling
from office.services.seeing_off import see_off


def _before(user: User, at: datetime) -> Words:
    del at
    says = _(
        "%(name)s is signed out everywhere and loses password, two-step verification and all roles. Their"
        " %(number)d assigned items return to the queue, and their pending requests lapse."
    )
    return says % {"name": str(user), "number": handling.in_hand(user.pk).count()}


def _leave(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    user = see_off(key, note=wish["note"], by=by, at=at)
    return _("The account of %(name)s has been deactivated.") % {"name": str(user)}


def _always(user: User, wish: Any) -> bool:
    del user, wish
    return True


def _is_here(user: User) -> bool:
    return user.is_staff and user.is_active


VERBS = [
    Verb(
        "leave",
        User,
        gettext_lazy("Deactivate account"),
        ("supervisor",),
        _before,
        _leave,
        fits=_is_here,
        second=_always,
        stands=colleagues.stands,
    ),
]
