"""Accounts of colleagues: add, change roles, deactivate, reinstate, reset the password.

All of it needs the approval of a second colleague. New colleagues choose their password with an enrolment code.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q

from accounts import enrolment, refusals, rules, services, sessions
from accounts.models import AccountEvent, User
from kernel.actor import Actor
from kernel.refusal import ApprovalRequired, FieldError, NotFound

APPROVER_ROLE = "supervisor"
LIST_MAX = 500


@dataclass(frozen=True, slots=True)
class ColleagueStatus:
    """A colleague with their roles, and whether they have a second factor."""

    user: User
    roles: Sequence[str]
    has_second_factor: bool
    #: The password was reset because they forgot it.
    forgot_password: bool

    @property
    def awaits_password(self) -> bool:
        """Whether they still have to choose a password with their enrolment code."""
        return self.user.is_active and not self.user.has_usable_password()


def list_colleagues() -> list[ColleagueStatus]:
    """All colleagues by username, former ones last, up to LIST_MAX."""
    users = User.objects.filter(is_staff=True).prefetch_related("groups").order_by("-is_active", "username")
    first = list(users[:LIST_MAX])
    types = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    second = set(Authenticator.objects.filter(user__in=first, type__in=types).values_list("user_id", flat=True))
    forgot = _users_who_forgot_password(first)
    return [
        ColleagueStatus(user, sorted(group.name for group in user.groups.all()), user.pk in second, user.pk in forgot)
        for user in first
    ]


def _users_who_forgot_password(users: Sequence[User]) -> set[UUID]:
    """Users without a password because they forgot it, and not because they are new or reinstated."""
    lines = AccountEvent.objects.filter(user__in=users, kind__in=["password_forgotten", "left"]).order_by("id")
    last = dict(lines.values_list("user_id", "kind"))
    return {key for key, kind in last.items() if kind == "password_forgotten"}


@transaction.atomic
def add_colleague(
    username: str, roles: Collection[str], *, note: str = "", by: Actor, at: datetime
) -> tuple[User, enrolment.IssuedCode]:
    """Create the account of a new colleague, and an enrolment code to be given to them in person.

    Raises:
        ApprovalRequired: this needs the approval of a second colleague.
        InvalidUsername, UsernameTaken, UnknownRole: a value is not permitted.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    validate_username(username)
    user = services.create_staff(username, None, roles=sorted(set(roles)), note=note, by=by, at=at)
    return user, enrolment.issue_code(user.pk, note=note, by=by, at=at)


def validate_username(username: str) -> None:
    """Check the username of a new colleague.

    Raises:
        InvalidUsername, UsernameTaken: it cannot be used.
    """
    if not rules.is_username(username):
        raise refusals.InvalidUsername(errors=[FieldError("/username", refusals.InvalidUsername.title)])
    if User.objects.filter(username=username).exists():
        raise refusals.UsernameTaken(errors=[FieldError("/username", refusals.UsernameTaken.title)])


@transaction.atomic
def change_roles(user_id: UUID, roles: Collection[str], *, note: str = "", by: Actor, at: datetime) -> User:
    """Set the roles of a colleague, effective from their next page.

    Raises:
        NotFound: there is no such colleague.
        ApprovalRequired: this needs the approval of a second colleague.
        UnknownRole: there is no such role.
        LastSupervisor: no supervisor would be left to approve anything.
    """
    user, other_approvers = _lock_with_approvers(user_id, by=by)
    groups = _groups_by_name(roles)
    before = roles_of(user)
    if APPROVER_ROLE in before and APPROVER_ROLE not in roles and not other_approvers:
        raise refusals.LastSupervisor
    user.groups.set(groups)
    _record_event(user, "roles_changed", by=by, at=at, before=before, after=sorted(roles), note=note)
    return user


@transaction.atomic
def deactivate(user_id: UUID, *, note: str = "", by: Actor, at: datetime) -> User:
    """Deactivate a colleague who leaves: end all sessions, and remove password, second factors and roles.

    Raises:
        NotFound: there is no such colleague, or they have left already.
        ApprovalRequired: this needs the approval of a second colleague.
        LastSupervisor: no supervisor would be left to approve anything.
    """
    user, other_approvers = _lock_with_approvers(user_id, by=by)
    if not user.is_active:
        raise NotFound
    before = roles_of(user)
    if user.has_usable_password() and (user.is_superuser or APPROVER_ROLE in before) and not other_approvers:
        raise refusals.LastSupervisor
    user.groups.clear()
    user.is_active = False
    _revoke_access(user)
    _record_event(user, "left", by=by, at=at, before=before, note=note)
    return user


@transaction.atomic
def reinstate(
    user_id: UUID, roles: Collection[str], *, note: str = "", by: Actor, at: datetime
) -> tuple[User, enrolment.IssuedCode]:
    """Reactivate a former colleague with these roles and a new enrolment code.

    Raises:
        NotFound: there is no such former colleague.
        ApprovalRequired: this needs the approval of a second colleague.
        UnknownRole: there is no such role.
    """
    user, _others = _lock_with_approvers(user_id, by=by)
    if user.is_active:
        raise NotFound
    user.groups.set(_groups_by_name(roles))
    user.is_active = True
    _revoke_access(user)  # for users who were deactivated in the database without it
    _record_event(user, "let_back_in", by=by, at=at, after=sorted(roles), note=note)
    return user, enrolment.issue_code(user.pk, note=note, by=by, at=at)


@transaction.atomic
def reset_password(user_id: UUID, *, note: str = "", by: Actor, at: datetime) -> tuple[User, enrolment.IssuedCode]:
    """Remove a forgotten password, end all sessions, and issue an enrolment code to choose another password.

    Roles, second factors and assignments stay.

    Raises:
        NotFound: there is no such active colleague with a password.
        ApprovalRequired: this needs the approval of a second colleague.
    """
    user, _others = _lock_with_approvers(user_id, by=by)
    if not user.is_active or not user.has_usable_password():
        raise NotFound
    user.set_unusable_password()
    user.save(update_fields=["password"])
    sessions.end_all_sessions(user)
    _record_event(user, "password_forgotten", by=by, at=at, note=note)
    return user, enrolment.issue_code(user.pk, note=note, by=by, at=at)


def current_state(user: User) -> dict[str, Any]:
    """The values of a colleague that change only with approval, to detect changes since the request."""
    return {"roles": ", ".join(roles_of(user)), "active": user.is_active}


def has_left_since(user_id: UUID, moment: datetime) -> bool:
    """Whether they left after this moment, even if they are back: their earlier requests are void."""
    return AccountEvent.objects.filter(user_id=user_id, kind="left", at__gte=moment).exists()


def _lock_with_approvers(user_id: UUID, *, by: Actor) -> tuple[User, set[UUID]]:
    """Lock the colleague and all approvers; return the colleague and the ids of the other approvers.

    So if two approvers are deactivated at once, the second transaction sees the first one's result. Supervisors without
    a password do not count as approvers.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    approvers = User.objects.filter(groups__name=APPROVER_ROLE, is_active=True)
    approvers = approvers.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    rows = User.objects.select_for_update(no_key=True).filter(Q(pk=user_id) | Q(pk__in=approvers.values("pk")))
    locked = {user.pk: user for user in rows.order_by("pk")}
    user = locked.get(user_id)
    if user is None or not user.is_staff:
        raise NotFound
    # Query again: approvers may have changed while waiting for the locks.
    return user, set(approvers.filter(pk__in=locked).exclude(pk=user_id).values_list("pk", flat=True))


def _revoke_access(user: User) -> None:
    """Remove everything the user could sign in with, and superuser rights."""
    user.is_superuser = False
    user.set_unusable_password()
    user.save(update_fields=["is_active", "is_superuser", "password"])
    sessions.end_all_sessions(user)
    Authenticator.objects.filter(user=user).delete()


def _groups_by_name(roles: Collection[str]) -> list[Group]:
    groups = {group.name: group for group in Group.objects.filter(name__in=roles)}
    if unknown := set(roles) - set(groups):
        raise refusals.UnknownRole(", ".join(sorted(unknown)))
    return list(groups.values())


def roles_of(user: User) -> list[str]:
    """The user's roles, sorted by name."""
    return sorted(user.groups.values_list("name", flat=True))


def _record_event(user: User, kind: str, *, by: Actor, at: datetime, **data: object) -> None:
    AccountEvent.objects.create(user=user, kind=kind, by=str(by), at=at, data=data)
