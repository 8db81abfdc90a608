"""How much of their limits people use: held by orders under way, owed, free again; and what is counted of them.

A person's own currency stands in their profile, and every other one in a row of its own. Whoever changes one of those
rows has the profile locked: it is the queue.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from credit import rules
from credit.models import CurrencyLimit, Profile, ScoreChange
from credit.queries import last_changes
from credit.refusals import AgreementState
from kernel.money import Money
from kernel.prepared import Question
from kernel.writes import as_json, insert_all

#: Set aside, and counted among the agreement's orders if one is named ($5) and takes new ones.
_HOLD = """
WITH %s, joined AS (
    UPDATE credit_agreement a SET live_orders = a.live_orders + 1 FROM held WHERE a.id = $5 AND a.state = 'active'
    RETURNING 1)
SELECT EXISTS (SELECT FROM held), EXISTS (SELECT FROM joined)
"""
_KINDS = ["uuid", "bigint", "int", "text", "uuid"]
_HOLD_AT_HOME = Question(
    _HOLD
    % """held AS (
    UPDATE credit_profile SET held_minor = held_minor + $2, open_orders = open_orders + 1
    WHERE person_id = $1 AND frozen_at IS NULL AND overdue_orders = 0 AND eased_orders = 0 AND open_orders < $3
      AND limit_minor >= held_minor + outstanding_minor + $2 AND currency = $4 RETURNING 1)""",
    _KINDS,
)
_HOLD_ABROAD = Question(
    _HOLD
    % """p AS (
    SELECT person_id FROM credit_profile WHERE person_id = $1 AND frozen_at IS NULL AND overdue_orders = 0
      AND eased_orders = 0 AND open_orders < $3 FOR NO KEY UPDATE),
abroad AS (
    UPDATE credit_currencylimit c SET held_minor = held_minor + $2 FROM p WHERE c.person_id = p.person_id
      AND c.currency = $4 AND limit_minor >= held_minor + outstanding_minor + $2 RETURNING c.person_id),
held AS (
    UPDATE credit_profile p SET open_orders = p.open_orders + 1 FROM abroad WHERE p.person_id = abroad.person_id
    RETURNING 1)""",
    _KINDS,
)
#: Profiles are locked by key; what is of their own currency goes into them, the rest into the rows of the others.
_CHANGE = Question(
    """
WITH locked AS MATERIALIZED (
    SELECT person_id, currency FROM credit_profile WHERE person_id = ANY($1) ORDER BY person_id FOR NO KEY UPDATE),
money AS (
    SELECT l.person_id, v.currency, v.held, v.owed, v.currency = l.currency AS own
    FROM locked l JOIN json_to_recordset($2) AS v (id uuid, currency text, held bigint, owed bigint)
         ON v.id = l.person_id),
abroad AS (
    UPDATE credit_currencylimit c SET held_minor = held_minor + m.held, outstanding_minor = outstanding_minor + m.owed
    FROM money m WHERE c.person_id = m.person_id AND c.person_id = ANY($1) AND c.currency = m.currency AND NOT m.own
    RETURNING 1)
UPDATE credit_profile p SET
    held_minor = held_minor + coalesce(m.held, 0), outstanding_minor = outstanding_minor + coalesce(m.owed, 0),
    open_orders = p.open_orders + n.open_orders, overdue_orders = p.overdue_orders + n.overdue_orders,
    kept_orders = p.kept_orders + n.kept_orders, breached_orders = p.breached_orders + n.breached_orders,
    eased_orders = p.eased_orders + n.eased_orders, score = greatest($4, least($5, p.score + n.score))
FROM json_to_recordset($3) AS n (id uuid, open_orders int, overdue_orders int, kept_orders int, breached_orders int,
                                 eased_orders int, score int)
LEFT JOIN money m ON m.person_id = n.id AND m.own
WHERE p.person_id = n.id AND p.person_id = ANY($1) RETURNING p.person_id, old.score
""",
    ["uuid[]", "json", "json", "int", "int"],
)
_COUNTS = ("open_orders", "overdue_orders", "kept_orders", "breached_orders", "eased_orders")


@dataclass(slots=True)
class Delta:
    """What changes for one person because of what happened to orders; the amounts are of one currency."""

    person_id: UUID
    currency: str
    held_minor: int = 0
    outstanding_minor: int = 0
    open_orders: int = 0
    overdue_orders: int = 0
    kept_orders: int = 0
    breached_orders: int = 0
    eased_orders: int = 0
    score_step: str = ""
    order_id: UUID | None = None


def hold(
    person_id: UUID, amount: Money, facts: rules.Facts, *, abroad: bool = False, joining: UUID | None = None
) -> bool:
    """Set this much of the limit aside for an order; False, and nothing changed, if it is not allowed any longer.

    The test and the change are one statement, so a limit cannot be passed however many ask at once; `facts` are what
    was seen before. `abroad`: the amount is not in the profile's own currency. `joining`: the agreement among whose
    orders it is counted as well.

    Raises:
        AgreementState: that takes no new ones any more; whoever asked undoes the rest.
    """
    question = _HOLD_ABROAD if abroad else _HOLD_AT_HOME
    [(held, joined)] = question.rows(person_id, amount.minor, facts.open_orders_max, amount.currency, joining)
    if held and joining and not joined:
        raise AgreementState
    return bool(held)


def open_limit(profile: Profile, currency: str, grades: rules.Grades, *, at: datetime) -> CurrencyLimit:
    """What somebody, whose locked profile this is, may owe of another currency, from now on a limit of its own."""
    limit = CurrencyLimit.objects.filter(person_id=profile.person_id, currency=currency).first()
    return limit or CurrencyLimit.objects.create(
        person_id=profile.person_id,
        currency=currency,
        limit_minor=_first_limit(profile, currency, grades),
        created_at=at,
    )


def _first_limit(profile: Profile, currency: str, grades: rules.Grades) -> int:
    """As much as their score gives them, and no more than what colleagues left them in another currency comes to."""
    kept = [row for row in last_changes([profile.person_id]).values() if row.pinned]
    left = [rules.carried(row.limit_minor, row.currency, currency) for row in kept]
    return min([grades.limit_of(profile.score, currency), *left])


def change_profiles(deltas: Sequence[Delta], *, at: datetime) -> None:
    """Carry what happened to orders into the profiles and limits of their people, in one statement."""
    points = _points(deltas)
    money: dict[tuple[UUID, str], list[int]] = defaultdict(lambda: [0, 0])
    counts: dict[UUID, list[int]] = defaultdict(lambda: [0] * (len(_COUNTS) + 1))
    for delta, point in zip(deltas, points, strict=True):
        sums, row = money[delta.person_id, delta.currency], counts[delta.person_id]
        sums[0] += delta.held_minor
        sums[1] += delta.outstanding_minor
        for place, name in enumerate(_COUNTS):
            row[place] += getattr(delta, name)
        row[-1] += point
    people = sorted(counts)
    amounts = [
        {"id": key, "currency": code, "held": held, "owed": owed} for (key, code), (held, owed) in sorted(money.items())
    ]
    steps = [{"id": key, **dict(zip((*_COUNTS, "score"), counts[key], strict=True))} for key in people]
    scores = dict(_CHANGE.rows(people, as_json(amounts), as_json(steps), rules.SCORE_LOWEST, rules.SCORE_HIGHEST))
    insert_all(_steps([one for one in zip(deltas, points, strict=True) if one[0].score_step], scores, at=at))
    if righted := {delta.person_id for delta in deltas if delta.score_step == "righted"}:
        review_now(righted, at=at)


def review_now(person_ids: Collection[UUID], *, at: datetime) -> None:
    """Points that were taken wrongly came back: the limits that went with them are looked at again without waiting."""
    later = Profile.objects.filter(pk__in=person_ids, frozen_at__isnull=True, review_at__gt=at)
    later.update(review_at=at)


def _points(deltas: Sequence[Delta]) -> list[int]:
    """By how much each moves the score. What undoes an earlier step undoes it by as much as that came to: near the ends
    of the score it was less.
    """
    undone = {
        (delta.person_id, delta.order_id, rules.UNDOES[delta.score_step]): -rules.SCORE_STEP[delta.score_step]
        for delta in deltas
        if delta.score_step in rules.UNDOES
    }
    if undone:
        people, orders, reasons = map(set, zip(*undone, strict=True))
        found = ScoreChange.objects.filter(person__in=people, order_id__in=orders, reason__in=reasons).order_by("id")
        for key, order_id, reason, delta in found.values_list("person_id", "order_id", "reason", "delta"):
            undone[key, order_id, reason] = delta
    return [
        -undone[delta.person_id, delta.order_id, rules.UNDOES[delta.score_step]]
        if delta.score_step in rules.UNDOES
        else rules.SCORE_STEP.get(delta.score_step, 0)
        for delta in deltas
    ]


def _steps(told: Sequence[tuple[Delta, int]], scores: Mapping[UUID, int], *, at: datetime) -> list[ScoreChange]:
    """What raised or lowered each score, by how much within its bounds, and what it came to; `scores` are from before.

    Only the sum of all that happens at once is held within the bounds, as in the profile.
    """
    sums, after, made = dict(scores), dict(scores), list[ScoreChange]()
    for delta, point in told:
        key, before = delta.person_id, after[delta.person_id]
        sums[key] += point
        after[key] = rules.bounded(sums[key])
        made.append(
            ScoreChange(
                person_id=key,
                reason=delta.score_step,
                order_id=delta.order_id,
                score=after[key],
                delta=after[key] - before,
                at=at,
            )
        )
    return made
