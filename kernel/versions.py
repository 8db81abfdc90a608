"""Policies are data: colleagues publish a version, and it counts from then on. None is ever changed."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, TypeVar

from django.db import IntegrityError, models, transaction
from django.db.models import Max, Q, Subquery
from django.db.models.functions import JSONObject
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kernel import guards
from kernel.actor import Actor
from kernel.models import Identified
from kernel.refusal import Busy, FieldError, SecondNeeded

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


class Dated(Protocol):
    """A version of something, and from when on it counts."""

    version: int
    effective_from: datetime


_V = TypeVar("_V", bound=PolicyVersion)
_D = TypeVar("_D", bound=Dated)


def in_force(model: type[_V], *, at: datetime) -> _V:
    """The version that counts then: the first one always has."""
    counting = model._default_manager.filter(Q(effective_from__lte=at) | Q(version=1))
    return counting.order_by("-version")[0]


def wrong_reason(reason: str) -> list[FieldError]:
    """What is wrong with why somebody publishes a version: it stands beside it for ever."""
    words = format_lazy(_("1 to {most} characters."), most=REASON_MAX)
    return [] if 0 < len(reason.strip()) <= REASON_MAX else [FieldError("/note", words)]


def said_at(model: type[PolicyVersion], at: Any) -> Subquery:
    """The version and terms that count at a moment, for whoever reads something else in the same breath."""
    counting = model._default_manager.filter(Q(effective_from__lte=at) | Q(version=1)).order_by("-version")
    return Subquery(counting.values(said=JSONObject(version="version", terms="terms"))[:1])


def newest(model: type[_V]) -> _V:
    return model._default_manager.order_by("-version")[0]


def marked(versions: Iterable[_D], now: _D) -> Iterator[tuple[_D, str]]:
    """Each, the newest first, with how it stands: `now`, `coming`, `past`, or `never` if a newer one overtook it."""
    overtaken = datetime.max.replace(tzinfo=UTC)
    for row in versions:
        if row == now:
            yield row, "now"
        elif row.effective_from >= overtaken:
            yield row, "never"
        else:
            yield row, "coming" if row.version > now.version else "past"
        overtaken = min(overtaken, row.effective_from)


def publish_version(
    model: type[_V],
    terms: Mapping[str, Any],
    reason: str,
    *,
    after: int,
    since: datetime | None = None,
    by: Actor,
    at: datetime,
) -> _V:
    """These terms count from `since` on, or at once. Whoever wrote them had read version `after`.

    A day that has passed until a second colleague agreed is at once, too: what was judged before stays as it was.

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
                version=last + 1,
                effective_from=max(at, since or at),
                terms=dict(terms),
                reason=reason.strip(),
                by=str(by),
                at=at,
            )
    except IntegrityError:
        raise Busy from None
