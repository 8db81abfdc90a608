"""Approval of payout accounts: who counts as a second person for where a merchant's money goes."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.models import PayoutAccount
from billing.services import payout_accounts
from kernel import ids
from kernel.actor import Actor
from kernel.refusal import NotFound, Refusal
from portal import rules
from portal.models import Invitation, Member

STAFF_ACTOR_PREFIX = "staff:"


class MemberTooNew(Refusal):
    """A new member may be controlled by the member who invited them."""

    code, status, title = (
        "member_too_new",
        403,
        _(
            "Someone invited by a member counts as a second person only after seven days. Another of your owners"
            " or our staff may approve it."
        ),
    )


class InviterCannotApprove(Refusal):
    """A colleague who invited a member of this merchant may control the requester's account."""

    code, status, title = (
        "inviter_agrees",
        403,
        _("You have invited a member to this merchant's console, so another colleague has to approve this account."),
    )


@transaction.atomic
def approve_as_owner(account: PayoutAccount, member: Member, *, by: Actor, at: datetime) -> PayoutAccount:
    """Approve a payout account as an owner of the business.

    In live mode the requester and the approver must both be trusted: members for `NEW_MEMBER_PERIOD`, or invited by
    the platform itself.

    Raises:
        NotFound: the member left the business, or is no longer an owner.
        MemberTooNew: one of the two was invited by a member recently, or joined after the request.
        PayoutAccountDecided, PayoutAccountOwn: see payout_accounts.
    """
    member = Member.objects.locked(member.id)
    if member.removed_at is not None or member.role not in rules.OWNER_ROLES:
        raise NotFound
    row = PayoutAccount.objects.locked(account.id)
    if account.merchant.mode == "live":
        asked_by = _member_of_actor(row.asked_by, member.merchant_id)
        trusted = all(_is_trusted(each, row.asked_at) for each in (member, asked_by) if each)
        if not trusted or member.joined_at > row.asked_at:
            raise MemberTooNew
    return payout_accounts.approve_payout_account(row.id, by=by, at=at)


@transaction.atomic
def approve_as_staff(account_id: UUID, note: str, *, by: Actor, at: datetime) -> PayoutAccount:
    """Approve a payout account as platform staff. In live mode the colleague must not have invited anybody to this
    business, since they could then control the requester's account.

    Raises:
        InviterCannotApprove: they invited a member.
        NotFound, PayoutAccountDecided, PayoutAccountOwn: see payout_accounts.
    """
    row = PayoutAccount.objects.locked(account_id)
    invited = Invitation.objects.filter(
        merchant_id=row.merchant_id, by__startswith=STAFF_ACTOR_PREFIX, by__contains=by.name
    )
    if row.merchant.mode == "live" and invited.exists():
        raise InviterCannotApprove
    return payout_accounts.approve_payout_account(row.id, note=note, by=by, at=at)


def _member_of_actor(actor: str, live_id: UUID) -> Member | None:
    """The actor's latest membership in this business; None if the actor is not a member."""
    kind, _colon, name = actor.partition(":")
    user_id = ids.parse("usr", name) if kind == "member" else None
    return Member.objects.filter(user_id=user_id, merchant_id=live_id).order_by("id").last() if user_id else None


def _is_trusted(member: Member, at: datetime) -> bool:
    """Whether the member had been there long enough by then, or was not invited by another member."""
    invited_by_member = Invitation.objects.filter(
        merchant_id=member.merchant_id, accepted_at=member.joined_at, by__startswith="member:"
    )
    return at - member.joined_at >= rules.NEW_MEMBER_PERIOD or not invited_by_member.exists()
