"""A business gets staff, and loses some: each change stands in the merchant's own log."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts import refusals, texts
from accounts import rules as numbers
from accounts import services as accounts
from accounts.addresses import address_of
from accounts.models import User
from kernel.actor import Actor
from kernel.refusal import FieldError, Invalid, NotFound, Refusal, SecondNeeded
from merchants.models import Merchant
from merchants.services.record import note
from portal import rules
from portal.models import Invitation, Member
from portal.rules import Role


class LastOwner(Refusal):
    """A business nobody owns could never change its team again."""

    code, title = "last_owner", _("At least one owner is required. Make someone else an owner first.")


class InvitationOver(Refusal):
    """It was used, taken back, or has run out."""

    code, status, title = "invitation_over", 410, _("This invitation is no longer valid. Ask for a new one.")


class AlreadyMember(Refusal):
    """They work there already."""

    code, title = "already_member", _("This person is already a team member.")


class AccountExists(Refusal):
    """The address signs in already: it must be them who accepts."""

    code, title = (
        "account_exists",
        _("This email address already has an account. Sign in with it, then open the link again."),
    )


class WrongAccount(Refusal):
    """Somebody else is signed in."""

    code, status, title = "wrong_account", 403, _("This invitation is for another account. Sign out first.")


class TeamFull(Refusal):
    """More than any team of this console."""

    code, title = "team_full", _("The maximum number of members and invitations has been reached.")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who accepts an invitation without having an account: how they will sign in.

    A mail has shown that the address is theirs (portal.services.sending): or anybody could take anybody's.
    """

    email: str
    password: str


@transaction.atomic
def found_team(merchant_id: UUID, email: str, password: str, *, by: Actor, at: datetime) -> Member:
    """The first owner of a business, made by whoever runs the platform.

    Raises:
        InvalidEmail, WeakPassword, UsernameTaken: they cannot sign in so.
    """
    user = accounts.sign_up_by_mail(email, password, by=by, at=at)
    return _join(merchant_id, user, Role.OWNER, by=by, at=at)


@transaction.atomic
def invite(
    merchant_id: UUID, role: str, *, email: str = "", phone: str = "", by: Actor, at: datetime
) -> tuple[Invitation, str]:
    """Somebody is asked to join. The token is returned this once; whoever asked sends it when all is written down.

    Raises:
        Invalid: there is no such role, or nowhere to send it.
        SecondNeeded: a colleague of ours would ask somebody into a team that has its owner, alone.
        InvalidEmail, InvalidPhone, AlreadyMember, TeamFull: they cannot be asked, or could never sign in.
    """
    _lock_team(merchant_id)
    if by.alone and owner_known(merchant_id, at=at):
        raise SecondNeeded
    known, number = _role(role), numbers.phone_in_e164(phone) if phone else None
    if phone and number is None:
        raise refusals.InvalidPhone(errors=[FieldError("/phone", refusals.InvalidPhone.title)])
    if number and not texts.reaches(number):
        raise refusals.InvalidPhone(errors=[FieldError("/phone", texts.NOT_THERE)])
    address = address_of(email) if email else ""
    if not (address or number):
        raise Invalid(errors=[FieldError("/email", _("Enter an email address or a phone number."))])
    active = Member.objects.filter(merchant_id=merchant_id, removed_at__isnull=True)
    waiting = _waiting(merchant_id, at=at)
    if address and active.filter(user__username=address).exists():
        raise AlreadyMember
    if active.count() >= rules.MEMBERS_MAX or waiting.count() >= rules.INVITATIONS_MAX:
        raise TeamFull
    _not_too_many(merchant_id, at=at)
    token = rules.new_token()
    invitation = Invitation.objects.create(
        merchant_id=merchant_id,
        role=known,
        email=address,
        phone_masked=numbers.masked_phone(number) if number else "",
        digest=rules.digest(token),
        by=str(by),
        created_at=at,
        expires_at=at + rules.INVITATION_LIFE,
    )
    note(merchant_id, "member_invited", invitation.id, by=by, at=at, role=known, to=invitation.sent_to)
    return invitation, token


def owner_known(merchant_id: UUID, *, at: datetime) -> bool:
    """Whether somebody owns the business, or may join as an owner: whoever is asked in next is one more."""
    owners = Member.objects.filter(merchant_id=merchant_id, role=Role.OWNER, removed_at__isnull=True)
    return owners.exists() or _waiting(merchant_id, at=at).filter(role=Role.OWNER).exists()


@transaction.atomic
def accept_invitation(
    token: str, *, user_id: UUID | None = None, newcomer: Newcomer | None = None, by: Actor, at: datetime
) -> Member:
    """Whoever holds the link joins: with the account they are signed in with, or with a new one. It is good once.

    Raises:
        NotFound: there is no such invitation.
        InvitationOver: it was used, taken back, or has run out.
        WrongAccount, AccountExists, AlreadyMember: it is not for them; they must sign in; they are there already.
        InvalidEmail, WeakPassword: they could not sign in so.
    """
    found = Invitation.objects.filter(digest=rules.digest(token)).values_list("merchant_id", "id").first()
    if found is None:
        raise NotFound
    _lock_team(found[0])
    invitation = Invitation.objects.locked(found[1])
    if not invitation.open_at(at):
        raise InvitationOver
    user = _who(invitation, user_id, newcomer, by=by, at=at)
    if Member.objects.filter(merchant_id=invitation.merchant_id, user=user, removed_at__isnull=True).exists():
        raise AlreadyMember
    invitation.accepted_at = at
    invitation.save(update_fields=["accepted_at"])
    actor = Actor.member(user.id)
    return _join(invitation.merchant_id, user, Role(invitation.role), by=actor, at=at)


@transaction.atomic
def revoke_invitation(merchant_id: UUID, invitation_id: UUID, *, by: Actor, at: datetime) -> None:
    """The link leads nowhere from now on. Twice is once.

    Raises:
        NotFound: missing, or another business's.
        InvitationOver: somebody has accepted it.
    """
    rows = Invitation.objects.select_for_update(of=("self",), no_key=True)
    invitation = rows.filter(merchant_id=merchant_id, pk=invitation_id).first()
    if invitation is None:
        raise NotFound
    if invitation.accepted_at is not None:
        raise InvitationOver
    if invitation.revoked_at is None:
        _take_back(invitation, by=by, at=at)


@transaction.atomic
def change_role(merchant_id: UUID, member_id: UUID, role: str, *, by: Actor, at: datetime) -> Member:
    """A member is there for something else from now on. Who may not ask others in any more has asked nobody.

    Raises:
        NotFound: no such member of this business.
        Invalid, LastOwner: there is no such role; nobody would own the business.
    """
    known, member = _role(role), _lock_member(merchant_id, member_id)
    if member.role != known:
        _keep_an_owner(member)
        _take_back_invitations(member, by=by, at=at)
        note(merchant_id, "role_changed", member.id, by=by, at=at, was=member.role, role=known)
        member.role = known
        member.save(update_fields=["role"])
    return member


@transaction.atomic
def remove_member(merchant_id: UUID, member_id: UUID, *, by: Actor, at: datetime) -> None:
    """Somebody no longer works there: from this moment nothing of the business shows itself to them.

    Nor do they come back by an invitation of their own: those that are still open are taken back.

    Raises:
        NotFound: no such member of this business.
        LastOwner: nobody would own the business.
    """
    member = _lock_member(merchant_id, member_id)
    _keep_an_owner(member)
    _take_back_invitations(member, by=by, at=at)
    member.removed_at = at
    member.save(update_fields=["removed_at"])
    note(merchant_id, "member_removed", member.id, by=by, at=at, role=member.role)


def _take_back_invitations(member: Member, *, by: Actor, at: datetime) -> None:
    """Whomever this member asked to join, and who has not come yet, does not come by that link any more."""
    asked = _waiting(member.merchant_id, at=at).filter(by=str(Actor.member(member.user_id))).order_by("id")
    for invitation in asked.select_for_update(of=("self",), no_key=True):
        _take_back(invitation, by=by, at=at)


def _take_back(invitation: Invitation, *, by: Actor, at: datetime) -> None:
    invitation.revoked_at = at
    invitation.save(update_fields=["revoked_at"])
    note(invitation.merchant_id, "invitation_revoked", invitation.id, by=by, at=at)


def _waiting(merchant_id: UUID, *, at: datetime) -> QuerySet[Invitation]:
    """The invitations that can still be accepted."""
    made = Invitation.objects.filter(merchant_id=merchant_id, accepted_at=None, revoked_at=None)
    return made.filter(expires_at__gt=at)


def _not_too_many(merchant_id: UUID, *, at: datetime) -> None:
    """Each invitation is a mail or a text to whomever it names; one that was taken back was sent all the same."""
    made = Invitation.objects.filter(merchant_id=merchant_id)
    for span, most in ((timedelta(hours=1), rules.INVITATIONS_AN_HOUR), (timedelta(days=1), rules.INVITATIONS_A_DAY)):
        if made.filter(created_at__gt=at - span).count() >= most:
            raise TeamFull(_("Too many invitations recently. Try again later."))


def _join(merchant_id: UUID, user: User, role: Role, *, by: Actor, at: datetime) -> Member:
    member = Member.objects.create(merchant_id=merchant_id, user=user, role=role, joined_at=at)
    note(merchant_id, "member_joined", member.id, by=by, at=at, role=role)
    return member


def _who(invitation: Invitation, user_id: UUID | None, newcomer: Newcomer | None, *, by: Actor, at: datetime) -> User:
    if user_id is not None:
        user = User.objects.locked(user_id)
        if user.is_staff or not user.username or (invitation.email and user.username != invitation.email):
            raise WrongAccount
        return user
    if newcomer is None:
        raise Invalid
    address = invitation.email or newcomer.email
    if User.objects.filter(username=address.strip().lower()).exists():
        raise AccountExists
    return accounts.sign_up_by_mail(address, newcomer.password, by=by, at=at)


def _lock_team(merchant_id: UUID) -> None:
    """One change of a team at a time: its business's row is the queue."""
    if not Merchant.objects.select_for_update(of=("self",), no_key=True).filter(pk=merchant_id).exists():
        raise NotFound


def _lock_member(merchant_id: UUID, member_id: UUID) -> Member:
    _lock_team(merchant_id)
    member = Member.objects.filter(merchant_id=merchant_id, pk=member_id, removed_at__isnull=True).first()
    if member is None:
        raise NotFound
    return member


def _keep_an_owner(member: Member) -> None:
    others = Member.objects.filter(merchant_id=member.merchant_id, role=Role.OWNER, removed_at__isnull=True)
    if member.role == Role.OWNER and not others.exclude(pk=member.pk).exists():
        raise LastOwner


def _role(text: str) -> Role:
    if text not in set(Role):
        raise Invalid(errors=[FieldError("/role", _("No such role."))])
    return Role(text)
