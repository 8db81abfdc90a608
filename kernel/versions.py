"""Policies are data: colleagues publish a version, and it counts from then on. None is ever changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.db import IntegrityError, models, transaction
from django.db.models import Max, Q

from kernel import guards
from kernel.actor import Actor
from kernel.models import Identified
from kernel.refusal import Busy, SecondNeeded

REASON_MAX = 200


class PolicyVersion(Identified):
    """A version of a policy, in force until the next one."""

    append_only: ClassVar[bool] = True

    version = models.PositiveIntegerField(unique=True)
    effective_from = models.DateTimeField()
    terms = models.JSONField()
    reason = models.CharField(max_length=REASON_MAX)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        abstract = True
        ordering = ["-version"]
        triggers = guards.append_only()


_V = TypeVar("_V", bound=PolicyVersion)


def in_force(model: type[_V], *, at: datetime) -> _V:
    """The version that counts then: the first one always has."""
    counting = model._default_manager.filter(Q(effective_from__lte=at) | Q(version=1))
    return counting.order_by("-version")[0]


def newest(model: type[_V]) -> _V:
    return model._default_manager.order_by("-version")[0]


def publish_version(
    model: type[_V], terms: Mapping[str, Any], reason: str, *, after: int, by: Actor, at: datetime
) -> _V:
    """These terms count from now on. Whoever wrote them had read version `after`. They were judged before.

    Raises:
        SecondNeeded: no colleague publishes alone.
        Busy: another version was published meanwhile.
    """
    if by.alone:
        raise SecondNeeded
    last = model._default_manager.aggregate(last=Max("version"))["last"] or 0
    if last != after:
        raise Busy
    try:
        with transaction.atomic():
            return model._default_manager.create(
                version=last + 1, effective_from=at, terms=dict(terms), reason=reason.strip(), by=str(by), at=at
            )
    except IntegrityError:
        raise Busy from None
