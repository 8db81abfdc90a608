"""What a colleague may see and do at the console: their roles, changed by two others."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q

from accounts import refusals
from accounts.models import AccountEvent, User
from kernel.actor import Actor
from kernel.refusal import NotFound, SecondNeeded

AGREES = "supervisor"


@transaction.atomic
def change_roles(user_id: UUID, roles: Collection[str], *, note: str = "", by: Actor, at: datetime) -> User:
    """From their next page on the colleague has exactly these roles.

    Raises:
        NotFound: there is no such colleague.
        SecondNeeded: no colleague gives or takes roles alone.
        UnknownRole: there is no such role.
        LastSupervisor: nobody would be left who may agree to anything.
    """
    if by.alone:
        raise SecondNeeded
    agreeing = User.objects.filter(groups__name=AGREES, is_active=True).values("pk")
    held = User.objects.select_for_update(no_key=True).filter(Q(pk=user_id) | Q(pk__in=agreeing)).order_by("pk")
    found = {user.pk: user for user in held}
    user = found.get(user_id)
    if user is None or not user.is_staff:
        raise NotFound
    groups = {group.name: group for group in Group.objects.filter(name__in=roles)}
    if unknown := set(roles) - set(groups):
        raise refusals.UnknownRole(", ".join(sorted(unknown)))
    before = sorted(user.groups.values_list("name", flat=True))
    if AGREES in before and AGREES not in roles and set(found) == {user_id}:
        raise refusals.LastSupervisor
    user.groups.set([groups[name] for name in roles])
    AccountEvent.objects.create(
        kind="roles_changed",
        user=user,
        by=str(by),
        at=at,
        data={"before": before, "after": sorted(roles), "note": note},
    )
    return user
