"""A merchant's team: invitations, joining, roles and removal. Every change is in the merchant's change log."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts import refusals, sms_limits
from accounts import rules as numbers
from accounts import services as accounts
from accounts.emails import normalize_email
from accounts.models import User
from kernel.actor import Actor
from kernel.refusal import ApprovalRequired, FieldError, Invalid, NotFound, Refusal
from merchants.models import Merchant
from merchants.services.change_log import record_change
from portal import rules
from portal.models import Invitation, Member
from portal.rules import Role


class LastOwner(Refusal):
    """A business must keep at least one owner."""

    code, title = "last_owner", _("At least one owner is required. Make someone else an owner first.")


class InvitationClosed(Refusal):
    """The invitation was used or revoked, or has expired."""

    code, status, title = "invitation_over", 410, _("This invitation is no longer valid. Ask for a new one.")


class AlreadyMember(Refusal):
    """The person is a member already."""

    code, title = "already_member", _("This person is already a team member.")


class AccountExists(Refusal):
    """The address has an account, which must accept the invitation itself."""

    code, title = (
        "account_exists",
        _("This email address already has an account. Sign in with it, then open the link again."),
    )


class WrongAccount(Refusal):
    """Another account than the invited one is signed in."""

    code, status, title = "wrong_account", 403, _("This invitation is for another account. Sign out first.")


class TeamFull(Refusal):
    """The team or its invitations are at their limit."""

    code, title = "team_full", _("The maximum number of members and invitations has been reached.")


@dataclass(frozen=True, slots=True)
class NewAccount:
    """Credentials of an invitee who has no account yet.

    The address must be verified (portal.services.invitation_messages), or anybody could take another's address.
    """

    email: str
    password: str


@transaction.atomic
def create_team(merchant_id: UUID, email: str, password: str, *, by: Actor, at: datetime) -> Member:
    """Create the first owner's account and membership, on behalf of the platform.

    Raises:
        InvalidEmail, WeakPassword, UsernameTaken: the credentials are not acceptable.
    """
    user = accounts.create_merchant_user(email, password, by=by, at=at)
    return _add_member(merchant_id, user, Role.OWNER, by=by, at=at)


@transaction.atomic
def invite(
    merchant_id: UUID, role: str, *, email: str = "", phone: str = "", by: Actor, at: datetime
) -> tuple[Invitation, str]:
    """Create an invitation. The token is returned only here; the caller sends it after the commit.

    Raises:
        Invalid: there is no such role, or neither address nor phone.
        ApprovalRequired: platform staff would invite into a team that has an owner, without approval.
        InvalidEmail, InvalidPhone, AlreadyMember, TeamFull: they cannot be invited.
    """
    _lock_team(merchant_id)
    if by.is_unapproved_staff and has_owner(merchant_id, at=at):
        raise ApprovalRequired
    parsed_role, number = _parse_role(role), numbers.parse_phone(phone) if phone else None
    if phone and number is None:
        raise refusals.InvalidPhone(errors=[FieldError("/phone", refusals.InvalidPhone.title)])
    if number and not sms_limits.can_text(number):
        raise refusals.InvalidPhone(errors=[FieldError("/phone", sms_limits.UNSUPPORTED_COUNTRY)])
    address = normalize_email(email) if email else ""
    if not (address or number):
        raise Invalid(errors=[FieldError("/email", _("Enter an email address or a phone number."))])
    active = Member.objects.filter(merchant_id=merchant_id, removed_at__isnull=True)
    open_invitations = _open_invitations(merchant_id, at=at)
    if address and active.filter(user__username=address).exists():
        raise AlreadyMember
    if active.count() >= rules.MEMBERS_MAX or open_invitations.count() >= rules.INVITATIONS_MAX:
        raise TeamFull
    _check_invitation_rate(merchant_id, at=at)
    token = rules.new_token()
    invitation = Invitation.objects.create(
        merchant_id=merchant_id,
        role=parsed_role,
        email=address,
        phone_masked=numbers.mask_phone(number) if number else "",
        digest=rules.token_digest(token),
        by=str(by),
        created_at=at,
        expires_at=at + rules.INVITATION_VALID_FOR,
    )
    record_change(merchant_id, "member_invited", invitation.id, by=by, at=at, role=parsed_role, to=invitation.sent_to)
    return invitation, token


def has_owner(merchant_id: UUID, *, at: datetime) -> bool:
    """Whether the business has an owner, or an open invitation for one."""
    owners = Member.objects.filter(merchant_id=merchant_id, role=Role.OWNER, removed_at__isnull=True)
    return owners.exists() or _open_invitations(merchant_id, at=at).filter(role=Role.OWNER).exists()


@transaction.atomic
def accept_invitation(
    token: str, *, user_id: UUID | None = None, new_account: NewAccount | None = None, by: Actor, at: datetime
) -> Member:
    """Join a team by an invitation's token, with the signed-in account or a new one. The invitation works once.

    Raises:
        NotFound: there is no such invitation.
        InvitationClosed: it was used or revoked, or has expired.
        WrongAccount, AccountExists, AlreadyMember: it is for another account; they must sign in; they are a member.
        InvalidEmail, WeakPassword: the new credentials are not acceptable.
    """
    found = Invitation.objects.filter(digest=rules.token_digest(token)).values_list("merchant_id", "id").first()
    if found is None:
        raise NotFound
    _lock_team(found[0])
    invitation = Invitation.objects.locked(found[1])
    if not invitation.is_open(at):
        raise InvitationClosed
    user = _accepting_user(invitation, user_id, new_account, by=by, at=at)
    if Member.objects.filter(merchant_id=invitation.merchant_id, user=user, removed_at__isnull=True).exists():
        raise AlreadyMember
    invitation.accepted_at = at
    invitation.save(update_fields=["accepted_at"])
    actor = Actor.member(user.id)
    return _add_member(invitation.merchant_id, user, Role(invitation.role), by=actor, at=at)


@transaction.atomic
def revoke_invitation(merchant_id: UUID, invitation_id: UUID, *, by: Actor, at: datetime) -> None:
    """Revoke an invitation. Idempotent.

    Raises:
        NotFound: missing, or another business's.
        InvitationClosed: it has been accepted.
    """
    rows = Invitation.objects.select_for_update(of=("self",), no_key=True)
    invitation = rows.filter(merchant_id=merchant_id, pk=invitation_id).first()
    if invitation is None:
        raise NotFound
    if invitation.accepted_at is not None:
        raise InvitationClosed
    if invitation.revoked_at is None:
        _revoke(invitation, by=by, at=at)


@transaction.atomic
def change_role(merchant_id: UUID, member_id: UUID, role: str, *, by: Actor, at: datetime) -> Member:
    """Change a member's role. Their open invitations are revoked, since the new role may not invite.

    Raises:
        NotFound: no such member of this business.
        Invalid, LastOwner: there is no such role; the business would have no owner.
    """
    parsed_role, member = _parse_role(role), _lock_member(merchant_id, member_id)
    if member.role != parsed_role:
        _require_other_owner(member)
        _revoke_invitations_by(member, by=by, at=at)
        record_change(merchant_id, "role_changed", member.id, by=by, at=at, was=member.role, role=parsed_role)
        member.role = parsed_role
        member.save(update_fields=["role"])
    return member


@transaction.atomic
def remove_member(merchant_id: UUID, member_id: UUID, *, by: Actor, at: datetime) -> None:
    """Remove a member; they lose access at once, and their open invitations are revoked.

    Raises:
        NotFound: no such member of this business.
        LastOwner: the business would have no owner.
    """
    member = _lock_member(merchant_id, member_id)
    _require_other_owner(member)
    _revoke_invitations_by(member, by=by, at=at)
    member.removed_at = at
    member.save(update_fields=["removed_at"])
    record_change(merchant_id, "member_removed", member.id, by=by, at=at, role=member.role)


def _revoke_invitations_by(member: Member, *, by: Actor, at: datetime) -> None:
    """Revoke the open invitations that this member made."""
    asked = _open_invitations(member.merchant_id, at=at).filter(by=str(Actor.member(member.user_id))).order_by("id")
    for invitation in asked.select_for_update(of=("self",), no_key=True):
        _revoke(invitation, by=by, at=at)


def _revoke(invitation: Invitation, *, by: Actor, at: datetime) -> None:
    invitation.revoked_at = at
    invitation.save(update_fields=["revoked_at"])
    record_change(invitation.merchant_id, "invitation_revoked", invitation.id, by=by, at=at)


def _open_invitations(merchant_id: UUID, *, at: datetime) -> QuerySet[Invitation]:
    """Invitations that can still be accepted."""
    made = Invitation.objects.filter(merchant_id=merchant_id, accepted_at=None, revoked_at=None)
    return made.filter(expires_at__gt=at)


def _check_invitation_rate(merchant_id: UUID, *, at: datetime) -> None:
    """Limit invitations per hour and day. Revoked ones count, since they were sent all the same.

    Raises:
        TeamFull: there were too many.
    """
    made = Invitation.objects.filter(merchant_id=merchant_id)
    for span, most in ((timedelta(hours=1), rules.INVITATIONS_AN_HOUR), (timedelta(days=1), rules.INVITATIONS_A_DAY)):
        if made.filter(created_at__gt=at - span).count() >= most:
            raise TeamFull(_("Too many invitations recently. Try again later."))


def _add_member(merchant_id: UUID, user: User, role: Role, *, by: Actor, at: datetime) -> Member:
    member = Member.objects.create(merchant_id=merchant_id, user=user, role=role, joined_at=at)
    record_change(merchant_id, "member_joined", member.id, by=by, at=at, role=role)
    return member


def _accepting_user(
    invitation: Invitation, user_id: UUID | None, new_account: NewAccount | None, *, by: Actor, at: datetime
) -> User:
    if user_id is not None:
        user = User.objects.locked(user_id)
        if user.is_staff or not user.username or (invitation.email and user.username != invitation.email):
            raise WrongAccount
        return user
    if new_account is None:
        raise Invalid
    address = invitation.email or new_account.email
    if User.objects.filter(username=address.strip().lower()).exists():
        raise AccountExists
    return accounts.create_merchant_user(address, new_account.password, by=by, at=at)


def _lock_team(merchant_id: UUID) -> None:
    """Serialise changes of a team by locking the business's merchant row."""
    if not Merchant.objects.select_for_update(of=("self",), no_key=True).filter(pk=merchant_id).exists():
        raise NotFound


def _lock_member(merchant_id: UUID, member_id: UUID) -> Member:
    _lock_team(merchant_id)
    member = Member.objects.filter(merchant_id=merchant_id, pk=member_id, removed_at__isnull=True).first()
    if member is None:
        raise NotFound
    return member


def _require_other_owner(member: Member) -> None:
    others = Member.objects.filter(merchant_id=member.merchant_id, role=Role.OWNER, removed_at__isnull=True)
    if member.role == Role.OWNER and not others.exclude(pk=member.pk).exists():
        raise LastOwner


def _parse_role(text: str) -> Role:
    if text not in set(Role):
        raise Invalid(errors=[FieldError("/role", _("No such role."))])
    return Role(text)
