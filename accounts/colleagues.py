"""Colleagues come, change and go: who is let in, what they may see and do at the console, and who is let out.

No colleague does any of it alone. Whoever is let in has no password before they choose one with their code.
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
from kernel.refusal import FieldError, NotFound, SecondNeeded

AGREES = "supervisor"
SHOWN_MAX = 500


@dataclass(frozen=True, slots=True)
class Standing:
    """A colleague as they stand: whether they are in, have chosen a password, and have a second step."""

    user: User
    roles: Sequence[str]
    has_second: bool
    #: They were let in before, and are to choose another password.
    has_forgotten: bool

    @property
    def is_waited_for(self) -> bool:
        """Whether they still have to choose a password by their code."""
        return self.user.is_active and not self.user.has_usable_password()


def everybody() -> list[Standing]:
    """All colleagues, those who have left last; more than are shown nobody has."""
    users = User.objects.filter(is_staff=True).prefetch_related("groups").order_by("-is_active", "username")
    first = list(users[:SHOWN_MAX])
    ways = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    second = set(Authenticator.objects.filter(user__in=first, type__in=ways).values_list("user_id", flat=True))
    forgot = _forgot(first)
    return [
        Standing(user, sorted(group.name for group in user.groups.all()), user.pk in second, user.pk in forgot)
        for user in first
    ]


def _forgot(users: Sequence[User]) -> set[UUID]:
    """Who of them is without a password because they forgot it, and not because they are new, or back."""
    lines = AccountEvent.objects.filter(user__in=users, kind__in=["password_forgotten", "left"]).order_by("id")
    last = dict(lines.values_list("user_id", "kind"))
    return {key for key, kind in last.items() if kind == "password_forgotten"}


@transaction.atomic
def hire(
    username: str, roles: Collection[str], *, note: str = "", by: Actor, at: datetime
) -> tuple[User, enrolment.Code]:
    """Somebody new may come in with these roles, by the code that they are told in person.

    Raises:
        SecondNeeded: no colleague lets anybody in alone.
        InvalidUsername, UsernameTaken, UnknownRole: it cannot be.
    """
    if by.alone:
        raise SecondNeeded
    judge_username(username)
    user = services.create_staff(username, None, roles=sorted(set(roles)), note=note, by=by, at=at)
    return user, enrolment.give_code(user.pk, note=note, by=by, at=at)


def judge_username(username: str) -> None:
    """Whether somebody new may be called so.

    Raises:
        InvalidUsername, UsernameTaken: they may not.
    """
    if not rules.is_username(username):
        raise refusals.InvalidUsername(errors=[FieldError("/username", refusals.InvalidUsername.title)])
    if User.objects.filter(username=username).exists():
        raise refusals.UsernameTaken(errors=[FieldError("/username", refusals.UsernameTaken.title)])


@transaction.atomic
def change_roles(user_id: UUID, roles: Collection[str], *, note: str = "", by: Actor, at: datetime) -> User:
    """From their next page on the colleague has exactly these roles.

    Raises:
        NotFound: there is no such colleague.
        SecondNeeded: no colleague gives or takes roles alone.
        UnknownRole: there is no such role.
        LastSupervisor: nobody would be left who may agree to anything.
    """
    user, others = _held(user_id, by=by)
    groups = _groups(roles)
    before = roles_of(user)
    if AGREES in before and AGREES not in roles and not others:
        raise refusals.LastSupervisor
    user.groups.set(groups)
    _tell(user, "roles_changed", by=by, at=at, before=before, after=sorted(roles), note=note)
    return user


@transaction.atomic
def leave(user_id: UUID, *, note: str = "", by: Actor, at: datetime) -> User:
    """They sign in no more: where they are signed in that ends, and no password, second step or role is left.

    Raises:
        NotFound: there is no such colleague, or they have left already.
        SecondNeeded: no colleague lets another go alone.
        LastSupervisor: nobody would be left who may agree to anything.
    """
    user, others = _held(user_id, by=by)
    if not user.is_active:
        raise NotFound
    before = roles_of(user)
    if user.has_usable_password() and (user.is_superuser or AGREES in before) and not others:
        raise refusals.LastSupervisor
    user.groups.clear()
    user.is_active = False
    _take_all(user)
    _tell(user, "left", by=by, at=at, before=before, note=note)
    return user


@transaction.atomic
def let_back_in(
    user_id: UUID, roles: Collection[str], *, note: str = "", by: Actor, at: datetime
) -> tuple[User, enrolment.Code]:
    """Somebody who has left comes back with these roles, as a newcomer does: by a code.

    Raises:
        NotFound: nobody like that has left.
        SecondNeeded: no colleague lets anybody in alone.
        UnknownRole: there is no such role.
    """
    user, _others = _held(user_id, by=by)
    if user.is_active:
        raise NotFound
    user.groups.set(_groups(roles))
    user.is_active = True
    _take_all(user)  # also from whoever was switched off by hand, and has kept it
    _tell(user, "let_back_in", by=by, at=at, after=sorted(roles), note=note)
    return user, enrolment.give_code(user.pk, note=note, by=by, at=at)


@transaction.atomic
def ask_new_password(user_id: UUID, *, note: str = "", by: Actor, at: datetime) -> tuple[User, enrolment.Code]:
    """They have forgotten their password: it opens nothing more, and a code lets them choose another one.

    Their roles, their second step and what they have in hand stay. Where they are signed in that ends.

    Raises:
        NotFound: there is no such colleague, or they have no password to forget.
        SecondNeeded: no colleague does so alone.
    """
    user, _others = _held(user_id, by=by)
    if not user.is_active or not user.has_usable_password():
        raise NotFound
    user.set_unusable_password()
    user.save(update_fields=["password"])
    sessions.end_all(user)
    _tell(user, "password_forgotten", by=by, at=at, note=note)
    return user, enrolment.give_code(user.pk, note=note, by=by, at=at)


def stands(user: User) -> dict[str, Any]:
    """What of a colleague only two change."""
    return {"roles": ", ".join(roles_of(user)), "active": user.is_active}


def has_left_since(user_id: UUID, moment: datetime) -> bool:
    """Whether they went after it, be it that they are back: what they asked for before is not theirs any more."""
    return AccountEvent.objects.filter(user_id=user_id, kind="left", at__gte=moment).exists()


def _held(user_id: UUID, *, by: Actor) -> tuple[User, set[UUID]]:
    """The colleague, and who else agrees to things, all held: of two who go at once the second sees the first gone.

    Whoever has not chosen a password yet agrees to nothing.
    """
    if by.alone:
        raise SecondNeeded
    agreeing = User.objects.filter(groups__name=AGREES, is_active=True)
    agreeing = agreeing.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    rows = User.objects.select_for_update(no_key=True).filter(Q(pk=user_id) | Q(pk__in=agreeing.values("pk")))
    found = {user.pk: user for user in rows.order_by("pk")}
    user = found.get(user_id)
    if user is None or not user.is_staff:
        raise NotFound
    # Looked at once more: whoever was waited for may have gone, or become another, meanwhile.
    return user, set(agreeing.filter(pk__in=found).exclude(pk=user_id).values_list("pk", flat=True))


def _take_all(user: User) -> None:
    """Nothing that they had signs in any more, and only their roles count."""
    user.is_superuser = False
    user.set_unusable_password()
    user.save(update_fields=["is_active", "is_superuser", "password"])
    sessions.end_all(user)
    Authenticator.objects.filter(user=user).delete()


def _groups(roles: Collection[str]) -> list[Group]:
    groups = {group.name: group for group in Group.objects.filter(name__in=roles)}
    if unknown := set(roles) - set(groups):
        raise refusals.UnknownRole(", ".join(sorted(unknown)))
    return list(groups.values())


def roles_of(user: User) -> list[str]:
    """By name."""
    return sorted(user.groups.values_list("name", flat=True))


def _tell(user: User, kind: str, *, by: Actor, at: datetime, **data: object) -> None:
    AccountEvent.objects.create(user=user, kind=kind, by=str(by), at=at, data=data)
