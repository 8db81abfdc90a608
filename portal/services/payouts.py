"""Which two of a business's team count as two people when it is about where its money goes."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.models import PayoutAccount
from billing.services import payout_accounts
from kernel import ids
from kernel.actor import Actor
from kernel.refusal import Refusal
from portal import rules
from portal.models import Invitation, Member


class MemberTooNew(Refusal):
    """Whoever invites somebody could be both of them."""

    code, status, title = (
        "member_too_new",
        403,
        _(
            "Whom a member invited counts as a second person only after seven days. "
            "Another of your owners, or our staff, may agree."
        ),
    )


@transaction.atomic
def agree(account: PayoutAccount, member: Member, *, by: Actor, at: datetime) -> PayoutAccount:
    """An owner agrees to where the money of their business goes.

    In live mode whoever asked for it and whoever agrees have each belonged to the business for long enough; members
    the platform itself asked in are known to it from their first day.

    Raises:
        MemberTooNew: one of the two was invited by a member lately, or came after the account was asked for.
        PayoutAccountDecided, PayoutAccountOwn: as agreeing says.
    """
    row = PayoutAccount.objects.locked(account.id)
    if account.merchant.mode == "live":
        asked_by = _member_behind(row.asked_by, member.merchant_id)
        settled = all(_settled(each, row.asked_at) for each in (member, asked_by) if each)
        if not settled or member.joined_at > row.asked_at:
            raise MemberTooNew
    return payout_accounts.agree_payout_account(row.id, by=by, at=at)


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
