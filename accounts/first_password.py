"""Choosing a first password with an enrolment code."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import enrolment, services
from accounts.models import AccountEvent, EnrolmentCode, User
from accounts.refusals import InvalidEnrolmentCode
from kernel.actor import Actor

NOT_TOGETHER = _(
    "The user name and code do not match, or the code has expired or was already used. Ask a supervisor for a new one."
)


@transaction.atomic
def set_first_password(username: str, code: str, password: str, *, at: datetime) -> tuple[User, EnrolmentCode]:
    """Set the first password of a colleague, and use up the code.

    The password is validated and hashed before the user is looked up, so that unknown usernames take equally long.

    Raises:
        WeakPassword, LongPassword: the password is not permitted. The code stays valid.
        InvalidEnrolmentCode: no colleague of this name awaits a password, or the code is not valid for them.
    """
    newcomer = User(username=User.normalize_username(username))
    services.validate_and_set_password(newcomer, password)
    user_id = enrolment.find_code_owner(newcomer.username or "", code)
    if user_id is None:
        raise InvalidEnrolmentCode(NOT_TOGETHER)
    user, by = User.objects.locked(user_id), Actor.staff(user_id)
    if not (user.is_staff and user.is_active) or user.has_usable_password():
        raise InvalidEnrolmentCode(NOT_TOGETHER)
    try:
        used = enrolment.use_code(user_id, code, by=by, at=at)
    except InvalidEnrolmentCode:
        raise InvalidEnrolmentCode(NOT_TOGETHER) from None
    user.password = newcomer.password
    user.save(update_fields=["password"])
    AccountEvent.objects.create(user=user, kind="joined", by=str(by), at=at)
    return user, used
