"""The console action that deactivates a staff account, with dual approval."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import colleagues
from accounts.models import User
from kernel.actor import Actor
from kernel.console_actions import RowAction, StrOrPromise
from office.services import assignments
from office.services.offboarding import offboard


def _preview(user: User, at: datetime) -> StrOrPromise:
    del at
    message = _(
        "%(name)s is signed out everywhere and loses password, two-step verification and all roles. Their"
        " %(number)d assigned items return to the queue, and their pending requests lapse."
    )
    return message % {"name": str(user), "number": assignments.open_assignments(user.pk).count()}


def _offboard(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    user = offboard(key, note=data["note"], by=by, at=at)
    return _("The account of %(name)s has been deactivated.") % {"name": str(user)}


def _always(user: User, data: Any) -> bool:
    del user, data
    return True


def _is_active_staff(user: User) -> bool:
    return user.is_staff and user.is_active


ROW_ACTIONS = [
    RowAction(
        "leave",
        User,
        gettext_lazy("Deactivate account"),
        ("supervisor",),
        _preview,
        _offboard,
        applies_to=_is_active_staff,
        needs_approval=_always,
        snapshot=colleagues.current_state,
    ),
]
