"""Onboards merchants: registering an application with the owner's invitation, and going live."""

from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from accounts.models import DEFAULT_LANGUAGE
from billing import settlement_queries
from kernel.actor import Actor
from kernel.console_actions import ActionResult, StrOrPromise
from merchants import services as merchants
from merchants.models import Merchant
from merchants.services import Application
from office.refusals import NoPayoutAccount
from portal.rules import Role
from portal.services import team
from portal.services.invitation_messages import send_invitation


@transaction.atomic
def register_application(
    application: Application, email: str, reason: str, *, by: Actor, at: datetime
) -> tuple[Merchant, ActionResult]:
    """Register a business's application. Its sandbox works at once; the owner is emailed after the commit.

    Raises:
        Invalid: the email address is not valid.
    """
    _sandbox, live = merchants.apply_to_join(application, reason, by=by, at=at)
    return live, invite_owner(live, email, "", by=by, at=at)


def invite_owner(live: Merchant, email: str, message: StrOrPromise, *, by: Actor, at: datetime) -> ActionResult:
    """Invite an owner of the merchant's console; the returned follow-up sends the email after the commit.

    Raises:
        ApprovalRequired: the business has an owner, and inviting another needs dual approval.
        Invalid, AlreadyMember, TeamFull: they cannot be invited.
    """
    invitation, token = team.invite(live.id, Role.OWNER, email=email, by=by, at=at)
    return ActionResult(message, partial(send_invitation, invitation, live.name, token, language=DEFAULT_LANGUAGE))


@transaction.atomic
def open_merchant(merchant_id: UUID, reason: str, *, by: Actor, at: datetime) -> Merchant:
    """Take the business live. It needs an approved payout account.

    Raises:
        NoPayoutAccount: no payout account has been approved.
        NotFound, MerchantState, NothingOffered: see merchants.services.
    """
    if not (
        settlement_queries.effective_payout_account(merchant_id, at=at)
        or settlement_queries.upcoming_payout_account(merchant_id, at=at)
    ):
        raise NoPayoutAccount
    return merchants.open_merchant(merchant_id, reason, by=by, at=at)
