"""Use of credit limits: amounts held and owed, and the counters and score of profiles.

The limit in a person's own currency is in their profile, other currencies have rows of their own. Every change of one
of those rows locks the profile first.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from credit import rules
from credit.models import CurrencyLimit, Profile, ScoreChange
from credit.queries import latest_limit_changes
from credit.refusals import AgreementState
from kernel.bulk_writes import insert_all, rows_to_json
from kernel.money import Money
from kernel.prepared_statements import PreparedStatement

#: Hold an amount, and count a live order of the agreement if one is given ($5) and active.
_HOLD = """
WITH %s, joined AS (
    UPDATE credit_agreement a SET live_orders = a.live_orders + 1 FROM held WHERE a.id = $5 AND a.state = 'active'
    RETURNING 1)
SELECT EXISTS (SELECT FROM held), EXISTS (SELECT FROM joined)
"""
_HOLD_PARAM_TYPES = ["uuid", "bigint", "int", "text", "uuid"]
_HOLD_OWN_CURRENCY = PreparedStatement(
    _HOLD
    % """held AS (
    UPDATE credit_profile SET held_minor = held_minor + $2, open_orders = open_orders + 1
    WHERE person_id = $1 AND frozen_at IS NULL AND overdue_orders = 0 AND eased_orders = 0 AND open_orders < $3
      AND limit_minor >= held_minor + outstanding_minor + $2 AND currency = $4 RETURNING 1)""",
    _HOLD_PARAM_TYPES,
)
_HOLD_OTHER_CURRENCY = PreparedStatement(
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
    _HOLD_PARAM_TYPES,
)
#: Profiles are locked by key; amounts in their own currency go into them, other currencies into their own rows.
_APPLY_DELTAS = PreparedStatement(
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
class ProfileDelta:
    """Changes of one person's profile caused by orders; the amounts are in one currency."""

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


def hold_credit(
    person_id: UUID,
    amount: Money,
    facts: rules.Facts,
    *,
    is_foreign_currency: bool = False,
    agreement_id: UUID | None = None,
) -> bool:
    """Hold an amount of the limit for an order. Returns False without changes if it is no longer allowed.

    Check and change are one statement, so concurrent requests cannot exceed the limit; `facts` are what was read
    before. With `agreement_id` a live order of that agreement is counted too.

    Raises:
        AgreementState: the agreement takes no new orders; the caller has to roll back.
    """
    query = _HOLD_OTHER_CURRENCY if is_foreign_currency else _HOLD_OWN_CURRENCY
    [(held, counted)] = query.rows(person_id, amount.minor, facts.open_orders_max, amount.currency, agreement_id)
    if held and agreement_id and not counted:
        raise AgreementState
    return bool(held)


def open_currency_limit(
    profile: Profile, currency: str, limit_terms: rules.LimitTerms, *, at: datetime
) -> CurrencyLimit:
    """The person's limit in another currency, created if needed; their profile is locked."""
    limit = CurrencyLimit.objects.filter(person_id=profile.person_id, currency=currency).first()
    return limit or CurrencyLimit.objects.create(
        person_id=profile.person_id,
        currency=currency,
        limit_minor=_first_limit(profile, currency, limit_terms),
        created_at=at,
    )


def _first_limit(profile: Profile, currency: str, limit_terms: rules.LimitTerms) -> int:
    """What the score gives, but not more than their pinned limits in other currencies convert to."""
    pinned = [row for row in latest_limit_changes([profile.person_id]).values() if row.pinned]
    converted = [rules.convert_limit(row.limit_minor, row.currency, currency) for row in pinned]
    return min([limit_terms.limit_of(profile.score, currency), *converted])


def apply_deltas(deltas: Sequence[ProfileDelta], *, at: datetime) -> None:
    """Apply these changes to profiles and limits, in one statement."""
    points = _score_points(deltas)
    money: dict[tuple[UUID, str], list[int]] = defaultdict(lambda: [0, 0])
    counts: dict[UUID, list[int]] = defaultdict(lambda: [0] * (len(_COUNTS) + 1))
    for delta, point in zip(deltas, points, strict=True):
        sums, row = money[delta.person_id, delta.currency], counts[delta.person_id]
        sums[0] += delta.held_minor
        sums[1] += delta.outstanding_minor
        for index, name in enumerate(_COUNTS):
            row[index] += getattr(delta, name)
        row[-1] += point
    people = sorted(counts)
    amounts = [
        {"id": key, "currency": code, "held": held, "owed": owed} for (key, code), (held, owed) in sorted(money.items())
    ]
    steps = [{"id": key, **dict(zip((*_COUNTS, "score"), counts[key], strict=True))} for key in people]
    scores = dict(
        _APPLY_DELTAS.rows(people, rows_to_json(amounts), rows_to_json(steps), rules.SCORE_LOWEST, rules.SCORE_HIGHEST)
    )
    insert_all(_score_changes([one for one in zip(deltas, points, strict=True) if one[0].score_step], scores, at=at))
    if corrected_people := {delta.person_id for delta in deltas if delta.score_step == "righted"}:
        schedule_review(corrected_people, at=at)


def schedule_review(person_ids: Collection[UUID], *, at: datetime) -> None:
    """Review these people's limits now, because points taken wrongly were given back."""
    later = Profile.objects.filter(pk__in=person_ids, frozen_at__isnull=True, review_at__gt=at)
    later.update(review_at=at)


def _score_points(deltas: Sequence[ProfileDelta]) -> list[int]:
    """The score points of each delta. A step that reverses an earlier one takes back what that came to, which is less
    near the bounds of the score.
    """
    reversed_points = {
        (delta.person_id, delta.order_id, rules.REVERSES[delta.score_step]): -rules.SCORE_STEP[delta.score_step]
        for delta in deltas
        if delta.score_step in rules.REVERSES
    }
    if reversed_points:
        people, orders, reasons = map(set, zip(*reversed_points, strict=True))
        changes = ScoreChange.objects.filter(person__in=people, order_id__in=orders, reason__in=reasons).order_by("id")
        for key, order_id, reason, delta in changes.values_list("person_id", "order_id", "reason", "delta"):
            reversed_points[key, order_id, reason] = delta
    return [
        -reversed_points[delta.person_id, delta.order_id, rules.REVERSES[delta.score_step]]
        if delta.score_step in rules.REVERSES
        else rules.SCORE_STEP.get(delta.score_step, 0)
        for delta in deltas
    ]


def _score_changes(
    scored: Sequence[tuple[ProfileDelta, int]], scores: Mapping[UUID, int], *, at: datetime
) -> list[ScoreChange]:
    """The score changes, each within the bounds; `scores` are the scores before.

    As in the profile, only the sum of all steps applied together is kept within the bounds.
    """
    sums, after, changes = dict(scores), dict(scores), list[ScoreChange]()
    for delta, point in scored:
        key, before = delta.person_id, after[delta.person_id]
        sums[key] += point
        after[key] = rules.clamp_score(sums[key])
        changes.append(
            ScoreChange(
                person_id=key,
                reason=delta.score_step,
                order_id=delta.order_id,
                score=after[key],
                delta=after[key] - before,
                at=at,
            )
        )
    return changes
