"""Which two count as two people when it is about where a business's money goes."""

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

STAFF = "staff:"


class MemberTooNew(Refusal):
    """Whoever invites somebody could be both of them."""

    code, status, title = (
        "member_too_new",
        403,
        _(
            "Someone invited by a member counts as a second person only after seven days. Another of your owners"
            " or our staff may approve it."
        ),
    )


class InviterAgrees(Refusal):
    """Whoever of us asked somebody in could be both: the one who asks for an account, and our staff who agrees."""

    code, status, title = (
        "inviter_agrees",
        403,
        _("You have invited a member to this merchant's console, so another colleague has to approve this account."),
    )


@transaction.atomic
def agree(account: PayoutAccount, member: Member, *, by: Actor, at: datetime) -> PayoutAccount:
    """An owner agrees to where the money of their business goes, as what they are there at this moment.

    In live mode whoever asked for it and whoever agrees have each belonged to the business for long enough; members
    the platform itself asked in are known to it from their first day.

    Raises:
        NotFound: they left the business, or own it no more.
        MemberTooNew: one of the two was invited by a member lately, or came after the account was asked for.
        PayoutAccountDecided, PayoutAccountOwn: as agreeing says.
    """
    member = Member.objects.locked(member.id)
    if member.removed_at is not None or member.role not in rules.OWNER:
        raise NotFound
    row = PayoutAccount.objects.locked(account.id)
    if account.merchant.mode == "live":
        asked_by = _member_behind(row.asked_by, member.merchant_id)
        settled = all(_settled(each, row.asked_at) for each in (member, asked_by) if each)
        if not settled or member.joined_at > row.asked_at:
            raise MemberTooNew
    return payout_accounts.agree_payout_account(row.id, by=by, at=at)


@transaction.atomic
def agree_as_staff(account_id: UUID, note: str, *, by: Actor, at: datetime) -> PayoutAccount:
    """A colleague of ours agrees. In live mode that is none who asked anybody in there: one invites owners, who invite
    others, and could be whoever asks.

    Raises:
        InviterAgrees: they did.
        NotFound, PayoutAccountDecided, PayoutAccountOwn: as agreeing says.
    """
    row = PayoutAccount.objects.locked(account_id)
    invited = Invitation.objects.filter(merchant_id=row.merchant_id, by__startswith=STAFF, by__contains=by.name)
    if row.merchant.mode == "live" and invited.exists():
        raise InviterAgrees
    return payout_accounts.agree_payout_account(row.id, note=note, by=by, at=at)


def _member_behind(actor: str, live_id: UUID) -> Member | None:
    """The member who acted, at their latest here; none where it was a colleague of ours."""
    kind, _colon, name = actor.partition(":")
    user_id = ids.parse("usr", name) if kind == "member" else None
    return Member.objects.filter(user_id=user_id, merchant_id=live_id).order_by("id").last() if user_id else None


def _settled(member: Member, at: datetime) -> bool:
    """Whether they had been there for long enough by then, or were not asked in by one of the team."""
    came_by = Invitation.objects.filter(
        merchant_id=member.merchant_id, accepted_at=member.joined_at, by__startswith="member:"
    )
    return at - member.joined_at >= rules.STRANGER_FOR or not came_by.exists()
