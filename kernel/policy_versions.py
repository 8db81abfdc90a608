"""Versioned policies: colleagues publish versions, each in force from its effective time. Versions never change."""

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
from kernel.refusal import ApprovalRequired, Busy, FieldError

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


class EffectiveVersion(Protocol):
    """Anything with a version number and an effective time."""

    version: int
    effective_from: datetime


_V = TypeVar("_V", bound=PolicyVersion)
_D = TypeVar("_D", bound=EffectiveVersion)


def version_in_force(model: type[_V], *, at: datetime) -> _V:
    """The version in force at that time; the first version is in force from the beginning."""
    effective = model._default_manager.filter(Q(effective_from__lte=at) | Q(version=1))
    return effective.order_by("-version")[0]


def reason_errors(reason: str) -> list[FieldError]:
    """Validation errors of the reason for publishing a version, which is stored with it."""
    words = format_lazy(_("1 to {most} characters."), most=REASON_MAX)
    return [] if 0 < len(reason.strip()) <= REASON_MAX else [FieldError("/note", words)]


def terms_subquery(model: type[PolicyVersion], at: Any) -> Subquery:
    """The version and terms in force at a time, as a subquery of another query."""
    effective = model._default_manager.filter(Q(effective_from__lte=at) | Q(version=1)).order_by("-version")
    return Subquery(effective.values(said=JSONObject(version="version", terms="terms"))[:1])


def latest_version(model: type[_V]) -> _V:
    return model._default_manager.order_by("-version")[0]


def with_status(versions: Iterable[_D], current: _D) -> Iterator[tuple[_D, str]]:
    """Each version, newest first, with its status: `now`, `coming`, `past`, or `never` if a newer one came first."""
    earliest_newer = datetime.max.replace(tzinfo=UTC)
    for row in versions:
        if row == current:
            yield row, "now"
        elif row.effective_from >= earliest_newer:
            yield row, "never"
        else:
            yield row, "coming" if row.version > current.version else "past"
        earliest_newer = min(earliest_newer, row.effective_from)


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
    """Publish terms that are in force from `since` on, or at once. They are based on version `after`.

    If `since` is past when the second colleague approves, they are in force at once: earlier decisions do not change.

    Raises:
        ApprovalRequired: no second colleague approved it.
        Busy: another version was published meanwhile.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
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
