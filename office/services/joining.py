"""A business is taken in: its application with the invitation of whoever is to own its console, and its opening."""

from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from accounts.models import DEFAULT_LANGUAGE
from billing import statements
from kernel.actor import Actor
from kernel.console_actions import Done, Words
from merchants import services as merchants
from merchants.models import Merchant
from merchants.services import Application
from office.refusals import NoPayoutAccount
from portal.rules import Role
from portal.services import team
from portal.services.sending import send_invitation


@transaction.atomic
def take_application(asked: Application, email: str, reason: str, *, by: Actor, at: datetime) -> tuple[Merchant, Done]:
    """A business applies. Its sandbox works at once; whoever is to own its console is invited when that is written.

    Raises:
        Invalid: the mail address is none.
    """
    _sandbox, live = merchants.apply_to_join(asked, reason, by=by, at=at)
    return live, invite_owner(live, email, "", by=by, at=at)


def invite_owner(live: Merchant, email: str, says: Words, *, by: Actor, at: datetime) -> Done:
    """Somebody is to own the business's console: written down now, the mail sent afterwards.

    Raises:
        SecondNeeded: the business has an owner, and no colleague asks another one in alone.
        Invalid, AlreadyMember, TeamFull: they cannot be asked.
    """
    made, token = team.invite(live.id, Role.OWNER, email=email, by=by, at=at)
    return Done(says, partial(send_invitation, made, live.name, token, language=DEFAULT_LANGUAGE))


@transaction.atomic
def open_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """The business goes live, when it is known where its money goes.

    Raises:
        NoPayoutAccount: nobody has agreed to one.
        NotFound, MerchantState, NothingOffered: as merchants' service says.
    """
    if not (statements.account_in_force(merchant_id, at=at) or statements.account_to_come(merchant_id, at=at)):
        raise NoPayoutAccount
    return merchants.open_merchant(merchant_id, reason, by=by, at=at)
