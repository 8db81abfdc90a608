"""A newcomer chooses a first password by the code they were given. Without one nobody signs in as them."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import enrolment, services
from accounts.models import AccountEvent, EnrolmentCode, User
from accounts.refusals import EnrolmentCodeOver
from kernel.actor import Actor

NOT_TOGETHER = _(
    "The user name and code do not match, or the code has expired or was already used. Ask a supervisor for a new one."
)


@transaction.atomic
def join(username: str, code: str, password: str, *, at: datetime) -> tuple[User, EnrolmentCode]:
    """From now on they sign in by this password, and the code is used up.

    The password is judged and hashed before anybody is looked for: a name that nobody has is answered as late as one
    that somebody has.

    Raises:
        WeakPassword, LongPassword: it is too easy to guess, or no form takes it. The code is still good.
        EnrolmentCodeOver: nobody of this name waits for a password, or this is not the code they can use.
    """
    newcomer = User(username=User.normalize_username(username))
    services.take_password(newcomer, password)
    user_id = enrolment.whose(newcomer.username or "", code)
    if user_id is None:
        raise EnrolmentCodeOver(NOT_TOGETHER)
    user, by = User.objects.locked(user_id), Actor.staff(user_id)
    if not (user.is_staff and user.is_active) or user.has_usable_password():
        raise EnrolmentCodeOver(NOT_TOGETHER)
    try:
        used = enrolment.use_code(user_id, code, by=by, at=at)
    except EnrolmentCodeOver:
        raise EnrolmentCodeOver(NOT_TOGETHER) from None
    user.password = newcomer.password
    user.save(update_fields=["password"])
    AccountEvent.objects.create(user=user, kind="joined", by=str(by), at=at)
    return user, used
