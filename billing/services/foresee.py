"""What other terms would change, seen before anybody publishes them. Reads only.

A plan is made when an attempt has failed, and then kept: a new version counts for the failures that come after its day.
So the question asked here is: had the latest failure of each waiting obligation been planned by these terms, from the
instruments its person has today, when would its next attempt be? One that the person moved stays where it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from msgspec import convert

from billing import planning, queries, rules
from billing.models import Deduction, DeductionLine, RetryPolicy
from billing.planning import Kind, Policy, Situation
from billing.services.plan import CAPS_LOOK_BACK, sources_of
from billing.services.policies import judge_policy
from kernel.models import LIVE
from orders.models import Obligation

#: How many of those next in line are looked through, how many of them are worked out, and how many are shown.
LINE_MAX, SAMPLE_MAX, SHOWN_MAX = 10_000, 1_000, 20


@dataclass(frozen=True, slots=True)
class Change:
    """One term as it is and as it would be."""

    name: str
    now: Any
    then: Any

    @property
    def changed(self) -> bool:
        return bool(self.now != self.then)


@dataclass(frozen=True, slots=True)
class Moved:
    """An obligation whose next attempt would lie elsewhere; nothing stands for no further attempt."""

    obligation: Obligation
    now: datetime
    then: datetime | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What becomes of those waiting in the live realm, or in the sandboxes."""

    live: bool
    looked_at: int
    moved: Sequence[Moved]

    @property
    def shown(self) -> Sequence[Moved]:
        return self.moved[:SHOWN_MAX]


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a version would replace, term by term, and what that would do."""

    replaces: RetryPolicy | None
    changes: Sequence[Change]
    effects: Sequence[Effect]


@dataclass(frozen=True, slots=True)
class _Failure:
    """The latest planned attempt that took nothing, and how many ends of its kind stood in a row then."""

    kind: Kind
    at: datetime
    source: str
    troubles: int


def foresee_policy(
    name: str, terms: Mapping[str, Any], effective_from: datetime, reason: str, *, at: datetime
) -> Foresight:
    """What publishing these terms would change, against the version that is in force when they begin.

    Raises:
        PolicyInvalid: they could not be published.
    """
    then = judge_policy(name, terms, effective_from, reason, at=at)
    replaces = queries.versions_at([name], effective_from).get(name)
    if replaces is None:
        return Foresight(None, [Change(term, None, value) for term, value in asdict(then).items()], [])
    now = convert(replaces.terms, Policy)
    before = asdict(now)
    changes = [Change(term, before[term], value) for term, value in asdict(then).items()]
    effects = [_effect(name, now, then, live=live, at=at) for live in (True, False)]
    return Foresight(replaces, changes, effects)


def _effect(name: str, now: Policy, then: Policy, *, live: bool, at: datetime) -> Effect:
    looked_at, moved = 0, []
    for row, situation, kind in _situations(_waiting(name, live=live, at=at)):
        looked_at += 1
        moment = row.realm.now(at)
        old, new = (_next(policy, kind, situation, moment) for policy in (now, then))
        if row.collect_at and new not in (old, row.collect_at):
            moved.append(Moved(row, row.collect_at, new))
    return Effect(live, looked_at, moved)


def _next(policy: Policy, kind: Kind, situation: Situation, moment: datetime) -> datetime | None:
    """The first attempt still to come of a plan made then."""
    plan = planning.after_failure(policy, kind, situation)
    return next((attempt.at for attempt in plan if attempt.at > moment), None)


def _waiting(name: str, *, live: bool, at: datetime) -> list[Obligation]:
    """Obligations of this policy that wait for another attempt, of those next in line."""
    here = Q(realm_id=LIVE) if live else ~Q(realm_id=LIVE)
    line = Obligation.objects.filter(here, collect_at__isnull=False).order_by("collect_at").values("pk")[:LINE_MAX]
    rows = Obligation.objects.filter(pk__in=line, order__service__retry_policy=name, attempts__gt=0)
    found = rows.select_related("realm", "person").order_by("collect_at", "pk")[:SAMPLE_MAX]
    return [
        row
        for row in found
        if row.collect_at and row.collect_at > row.realm.now(at) and row.plan[0]["reason"] not in ("moved", "due_moved")
    ]


def _situations(rows: Sequence[Obligation]) -> Iterator[tuple[Obligation, Situation, Kind]]:
    """What the plan of each was made from, as it was at its latest failure, in a handful of questions for them all."""
    failures = _failures(rows)
    if not failures:
        return
    people = {row.person_id for row in rows}
    usable = queries.instruments_of(people)
    earliest = min(failure.at for failure in failures.values()) - CAPS_LOOK_BACK
    tried = queries.retries_of(people, since=earliest)
    for row in rows:
        failure = failures.get(row.id)
        if failure is None:
            continue
        since = failure.at - CAPS_LOOK_BACK
        yield (
            row,
            Situation(
                due_at=row.due_at,
                at=failure.at,
                zone=row.person.zone,
                sources=sources_of(usable.get(row.person_id, [])),
                amount=row.owed,
                tried=tuple(t for t in tried.get(row.person_id, ()) if since < t.at <= failure.at),
                failed=failure.source,
                troubles=failure.troubles,
            ),
            failure.kind,
        )


def _failures(rows: Sequence[Obligation]) -> dict[UUID, _Failure]:
    """The latest planned failure of each, if it had one."""
    lines = DeductionLine.objects.filter(obligation__in=rows, live=False).select_related("deduction").order_by("-id")
    ends: dict[UUID, list[Deduction]] = {}
    for line in lines:
        ends.setdefault(line.obligation_id, []).append(line.deduction)
    found = {}
    for key, tries in ends.items():
        for place, end in enumerate(tries):
            if end.purpose == Deduction.Purpose.PLANNED and end.failure_class and end.resolved_at:
                kinds = [other.failure_class for other in tries[place:]]
                kind = Kind(end.failure_class)
                found[key] = _Failure(kind, end.resolved_at, str(end.instrument_id), rules.row_of(kinds, kind))
                break
    return found
