"""Preview of a retry policy version before it is published. Read-only.

A plan is made when an attempt fails, and then kept: a new version only applies to later failures. So the preview
recomputes, for each waiting obligation, the plan after its latest failure with the new terms and the instruments its
person has today, and compares the next attempts. Attempts moved by the person are left out.
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
from billing.planning import FailureClass, Policy, Situation
from billing.services.attempt_plans import CAPS_LOOKBACK, sources_of
from billing.services.retry_policies import validate_policy
from kernel.models import LIVE
from orders.models import Obligation

#: How many obligations next in line are examined, how many of them are recomputed, and how many are shown.
QUEUE_MAX, SAMPLE_MAX, SHOWN_MAX = 10_000, 1_000, 20


@dataclass(frozen=True, slots=True)
class TermChange:
    """A term now and under the new version."""

    name: str
    now: Any
    then: Any

    @property
    def changed(self) -> bool:
        return bool(self.now != self.then)


@dataclass(frozen=True, slots=True)
class MovedAttempt:
    """An obligation whose next attempt would move; `then` is None if there would be no further attempt."""

    obligation: Obligation
    now: datetime
    then: datetime | None


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect on waiting obligations in the live realm, or in the sandboxes."""

    live: bool
    looked_at: int
    moved: Sequence[MovedAttempt]

    @property
    def shown(self) -> Sequence[MovedAttempt]:
        return self.moved[:SHOWN_MAX]


@dataclass(frozen=True, slots=True)
class PolicyPreview:
    """What a version would replace, term by term, and its effects."""

    replaces: RetryPolicy | None
    changes: Sequence[TermChange]
    effects: Sequence[Effect]


@dataclass(frozen=True, slots=True)
class _Failure:
    """The latest failed planned attempt, and how many outcomes of its class there were in a row then."""

    kind: FailureClass
    at: datetime
    source: str
    technical_failures: int


def preview_policy(
    name: str, terms: Mapping[str, Any], effective_from: datetime, reason: str, *, at: datetime
) -> PolicyPreview:
    """What publishing these terms would change, compared with the version in force when they take effect.

    Raises:
        PolicyInvalid: they could not be published.
    """
    then = validate_policy(name, terms, effective_from, reason, at=at)
    replaces = queries.policy_versions_at([name], effective_from).get(name)
    if replaces is None:
        return PolicyPreview(None, [TermChange(term, None, value) for term, value in asdict(then).items()], [])
    now = convert(replaces.terms, Policy)
    before = asdict(now)
    changes = [TermChange(term, before[term], value) for term, value in asdict(then).items()]
    effects = [_build_effect(name, now, then, live=live, at=at) for live in (True, False)]
    return PolicyPreview(replaces, changes, effects)


def _build_effect(name: str, now: Policy, then: Policy, *, live: bool, at: datetime) -> Effect:
    looked_at, moved = 0, []
    for row, situation, kind in _situations(_waiting_obligations(name, live=live, at=at)):
        looked_at += 1
        moment = row.realm.now(at)
        old, new = (_next_attempt_at(policy, kind, situation, moment) for policy in (now, then))
        if row.collect_at and new not in (old, row.collect_at):
            moved.append(MovedAttempt(row, row.collect_at, new))
    return Effect(live, looked_at, moved)


def _next_attempt_at(policy: Policy, failure: FailureClass, situation: Situation, moment: datetime) -> datetime | None:
    """The first attempt after `moment` of the plan that follows the failure."""
    plan = planning.attempts_after_failure(policy, failure, situation)
    return next((attempt.at for attempt in plan if attempt.at > moment), None)


def _waiting_obligations(name: str, *, live: bool, at: datetime) -> list[Obligation]:
    """Obligations of this policy that wait for a retry, among those next in line."""
    in_realms = Q(realm_id=LIVE) if live else ~Q(realm_id=LIVE)
    queue = (
        Obligation.objects.filter(in_realms, collect_at__isnull=False).order_by("collect_at").values("pk")[:QUEUE_MAX]
    )
    rows = Obligation.objects.filter(pk__in=queue, order__service__retry_policy=name, attempts__gt=0)
    found = rows.select_related("realm", "person").order_by("collect_at", "pk")[:SAMPLE_MAX]
    return [
        row
        for row in found
        if row.collect_at and row.collect_at > row.realm.now(at) and row.plan[0]["reason"] not in ("moved", "due_moved")
    ]


def _situations(rows: Sequence[Obligation]) -> Iterator[tuple[Obligation, Situation, FailureClass]]:
    """Each obligation with the facts its plan was computed from at its latest failure, in a handful of queries."""
    failures = _latest_failures(rows)
    if not failures:
        return
    people = {row.person_id for row in rows}
    usable = queries.instruments_of(people)
    earliest = min(failure.at for failure in failures.values()) - CAPS_LOOKBACK
    past_retries = queries.retries_of(people, since=earliest)
    for row in rows:
        failure = failures.get(row.id)
        if failure is None:
            continue
        since = failure.at - CAPS_LOOKBACK
        yield (
            row,
            Situation(
                due_at=row.due_at,
                at=failure.at,
                zone=row.person.zone,
                sources=sources_of(usable.get(row.person_id, [])),
                amount=row.owed,
                past_retries=tuple(t for t in past_retries.get(row.person_id, ()) if since < t.at <= failure.at),
                failed_source=failure.source,
                technical_failures=failure.technical_failures,
            ),
            failure.kind,
        )


def _latest_failures(rows: Sequence[Obligation]) -> dict[UUID, _Failure]:
    """The latest failed planned attempt of each obligation that has one."""
    lines = DeductionLine.objects.filter(obligation__in=rows, live=False).select_related("deduction").order_by("-id")
    outcomes: dict[UUID, list[Deduction]] = {}
    for line in lines:
        outcomes.setdefault(line.obligation_id, []).append(line.deduction)
    failures = {}
    for key, deductions in outcomes.items():
        for place, deduction in enumerate(deductions):
            if deduction.purpose == Deduction.Purpose.PLANNED and deduction.failure_class and deduction.resolved_at:
                kinds = [other.failure_class for other in deductions[place:]]
                kind = FailureClass(deduction.failure_class)
                failures[key] = _Failure(
                    kind, deduction.resolved_at, str(deduction.instrument_id), rules.streak_length(kinds, kind)
                )
                break
    return failures
