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
from portal.queries import business_of

STAFF_ACTOR_PREFIX, MEMBER_KIND = "staff:", "member"


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


class RequesterNotAuthorized(Refusal):
    """The requester was removed from the business since, or may not request payout accounts any more."""

    code, title = (
        "account_asker_gone",
        _(
            "The requester has left the merchant's team or may no longer request a payout account. Reject the request;"
            " an authorized member may submit it again."
        ),
    )


@transaction.atomic
def approve_as_owner(account: PayoutAccount, member: Member, *, by: Actor, at: datetime) -> PayoutAccount:
    """Approve a payout account as an owner of the business.

    In live mode the requester and the approver must both be trusted: members for `NEW_MEMBER_PERIOD`, or invited by
    the platform itself.

    Raises:
        NotFound: the member left the business, or is no longer an owner.
        MemberTooNew: one of the two was invited by a member recently, or joined after the request.
        RequesterNotAuthorized: the requester left, or may not request accounts any more.
        PayoutAccountDecided, PayoutAccountOwn: see payout_accounts.
    """
    requester = find_requester(account)
    locked = {key: Member.objects.locked(key) for key in sorted({member.id, *([requester.id] if requester else [])})}
    member = locked[member.id]
    if member.removed_at is not None or member.role not in rules.OWNER_ROLES:
        raise NotFound
    row = PayoutAccount.objects.locked(account.id)
    require_authorized_requester(row, locked[requester.id] if requester else None)
    if account.merchant.mode == "live":
        trusted = all(_is_trusted(each, row.asked_at) for each in locked.values())
        if not trusted or member.joined_at > row.asked_at:
            raise MemberTooNew
    return payout_accounts.approve_payout_account(row.id, by=by, at=at)


@transaction.atomic
def approve_as_staff(account_id: UUID, note: str, *, by: Actor, at: datetime) -> PayoutAccount:
    """Approve a payout account as platform staff. In live mode the colleague must not have invited anybody to this
    business, since they could then control the requester's account.

    Raises:
        InviterCannotApprove: they invited a member.
        RequesterNotAuthorized: the requester left, or may not request accounts any more.
        NotFound, PayoutAccountDecided, PayoutAccountOwn: see payout_accounts.
    """
    account = PayoutAccount.objects.select_related("merchant").filter(pk=account_id).first()
    if account is None:
        raise NotFound
    requester = find_requester(account)
    requester = Member.objects.locked(requester.id) if requester else None
    row = PayoutAccount.objects.locked(account_id)
    require_authorized_requester(row, requester)
    invited = Invitation.objects.filter(
        merchant_id=row.merchant_id, by__startswith=STAFF_ACTOR_PREFIX, by__contains=by.name
    )
    if row.merchant.mode == "live" and invited.exists():
        raise InviterCannotApprove
    return payout_accounts.approve_payout_account(row.id, note=note, by=by, at=at)


def find_requester(account: PayoutAccount) -> Member | None:
    """The latest membership of whoever requested the account; None if it was not a member of the business."""
    actor, business = Actor.parse(account.asked_by), business_of(account.merchant_id)
    user_id = ids.parse("usr", actor.name) if actor.kind == MEMBER_KIND else None
    if user_id is None or business is None:
        return None
    return Member.objects.filter(user_id=user_id, merchant_id=business.live.id).order_by("id").last()


def require_authorized_requester(account: PayoutAccount, requester: Member | None) -> None:
    """Require that the member who requested the account may still request one.

    Raises:
        RequesterNotAuthorized: the member left, or has another role now.
    """
    if Actor.parse(account.asked_by).kind != MEMBER_KIND:
        return
    if requester is None or requester.removed_at is not None or requester.role not in rules.FINANCE_ROLES:
        raise RequesterNotAuthorized


def _is_trusted(member: Member, at: datetime) -> bool:
    """Whether the member had been there long enough by then, or was not invited by another member."""
    invited_by_member = Invitation.objects.filter(
        merchant_id=member.merchant_id, accepted_at=member.joined_at, by__startswith="member:"
    )
    return at - member.joined_at >= rules.NEW_MEMBER_PERIOD or not invited_by_member.exists()
