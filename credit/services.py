"""Who may owe: services are opened and closed, promises assessed, limits held and freed."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from accounts.models import Person
from credit import rules
from credit.models import Agreement, Decision, Profile, ScoreChange
from credit.queries import Standing, standing_of
from credit.refusals import AgreementState, AlreadyOpened, ServicePaused
from kernel.actor import Actor
from kernel.prepared import Question
from kernel.refusal import NotFound
from kernel.writes import insert_all
from merchants import queries as merchant_queries
from merchants import services as merchants
from merchants.models import Service
from merchants.refusals import MerchantNotActive

_HOLD = Question(
    "UPDATE credit_profile SET held_minor = held_minor + $2, open_orders = open_orders + 1"
    " WHERE person_id = $1 AND frozen_at IS NULL AND overdue_orders = 0 AND eased_orders = 0 AND open_orders < $3"
    " AND limit_minor >= held_minor + outstanding_minor + $2 RETURNING 1",
    ["uuid", "bigint", "int"],
)
_JOIN = Question(
    "UPDATE credit_agreement SET live_orders = live_orders + 1 WHERE id = $1 AND state = 'active' RETURNING 1",
    ["uuid"],
)


@dataclass(frozen=True, slots=True)
class Signing:
    """How the person's signature ended: the agreement as it stands, and the assessment."""

    agreement: Agreement
    decision: Decision


@dataclass(slots=True)
class Delta:
    """What changes in one person's profile because of what happened to orders."""

    person_id: UUID
    held_minor: int = 0
    outstanding_minor: int = 0
    open_orders: int = 0
    overdue_orders: int = 0
    kept_orders: int = 0
    breached_orders: int = 0
    eased_orders: int = 0
    score_step: str = ""
    order_id: UUID | None = None


@transaction.atomic
def request_agreement(
    merchant_id: UUID, service_id: UUID, person_ref: str, *, return_url: str = "", by: Actor, at: datetime
) -> Agreement:
    """A merchant asks a person, whom it knows as `person_ref`, to open a service.

    Raises:
        NotFound: no such service of this merchant.
        ServicePaused: it takes nobody new.
        MerchantNotActive: nothing new begins with this merchant.
    """
    service = merchant_queries.service_of(merchant_id, service_id)
    if not service.merchant.takes_orders:
        raise MerchantNotActive
    if service.state != Service.State.ACTIVE:
        raise ServicePaused
    agreement = Agreement(
        realm_id=service.merchant.realm_id,
        merchant_id=merchant_id,
        service=service,
        person_ref=person_ref,
        return_url=return_url,
        created_at=at,
    )
    agreement.record("requested", by=by, at=at)
    return agreement


@transaction.atomic
def open_profile(person: Person, *, score: int = rules.SCORE_FIRST, at: datetime) -> Profile:
    """The person's credit profile, made at the first opening."""
    profile, _made = Profile.objects.get_or_create(
        person=person,
        defaults={
            "realm_id": person.realm_id,
            "score": score,
            "limit_minor": rules.limit_of(score),
            "created_at": at,
        },
    )
    return profile


@transaction.atomic
def sign_agreement(agreement_id: UUID, person_id: UUID, *, by: Actor, at: datetime) -> Signing:
    """The person agrees: assessed, and if that goes well the service is open. A refusal leaves it pending.

    Raises:
        NotFound: no such agreement or person in its realm.
        AgreementState: it was signed by somebody else, or has ended.
        AlreadyOpened: the person opened this service under another agreement.
    """
    person = Person.objects.filter(pk=person_id).first()
    if person is None:
        raise NotFound
    # Two agreements of one person for one service must not both see that there is none: the profile row is the queue.
    open_profile(person, at=at)
    profile = Profile.objects.select_for_update(no_key=True).get(pk=person_id)
    agreement = Agreement.objects.locked(agreement_id)
    if agreement.realm_id != person.realm_id:
        raise NotFound
    if agreement.state == Agreement.State.ACTIVE and agreement.person_id == person_id:
        return Signing(agreement, agreement.decisions.filter(occasion="opening", approved=True).earliest("id"))
    if agreement.state != Agreement.State.PENDING:
        raise AgreementState
    opened = Agreement.objects.filter(service_id=agreement.service_id, person_id=person_id)
    if opened.filter(state__in=[Agreement.State.ACTIVE, Agreement.State.CLOSING]).exists():
        raise AlreadyOpened
    agreement.person = person
    decision = decide(Standing(agreement, profile), 0, occasion=Decision.Occasion.OPENING, at=at)
    if decision.approved:
        agreement.activate(person_id, at=at)
        agreement.record("activated", by=by, at=at, decision=decision.id)
        _tell(agreement, "agreement.activated", at=at)
    return Signing(agreement, decision)


@transaction.atomic
def stop_agreement(agreement_id: UUID, *, by: Actor, at: datetime) -> Agreement:
    """No new orders from now on. With orders under way the mandate ends itself with the last payment.

    Stopping what is stopped already changes nothing.
    """
    agreement = Agreement.objects.locked(agreement_id)
    if agreement.state in (Agreement.State.CLOSING, Agreement.State.TERMINATED):
        return agreement
    if agreement.state == Agreement.State.ACTIVE and agreement.live_orders:
        agreement.close(at=at)
        agreement.record("closing", by=by, at=at)
        _tell(agreement, "agreement.closing", at=at)
    else:
        _terminate(agreement, by=by, at=at)
    return agreement


def decide(
    standing: Standing, asked_minor: int, *, occasion: str, at: datetime, out_order_no: str = "", holding: bool = False
) -> Decision:
    """Assess, and keep what was asked, seen and decided; `holding` sets the amount aside in the same breath.

    Where another order was quicker to the limit, the decision is made again on what it left.
    """
    agreement = standing.agreement
    if agreement.person_id is None:
        raise AgreementState
    facts = standing.facts(asked_minor)
    verdict = rules.assess(facts)
    while holding and verdict.approved and not hold(agreement.person_id, asked_minor):
        facts = standing_of(agreement.id).facts(asked_minor)
        verdict = rules.assess(facts)
    decision = Decision(
        realm_id=agreement.realm_id,
        person_id=agreement.person_id,
        merchant_id=agreement.merchant_id,
        agreement=agreement,
        occasion=occasion,
        out_order_no=out_order_no,
        policy=rules.POLICY,
        inputs=asdict(facts),
        approved=verdict.approved,
        reasons=[reason.value for reason in verdict.reasons],
        at=at,
    )
    insert_all([decision])
    return decision


def join_order(agreement_id: UUID) -> bool:
    """One more order lives under the agreement; False if it takes no new ones any more."""
    return bool(_JOIN.rows(agreement_id))


def hold(person_id: UUID, amount_minor: int) -> bool:
    """Set this much of the limit aside for an order; False, and nothing changed, if the profile no longer allows it.

    The test and the change are one statement, so a limit cannot be passed however many ask at once.
    """
    return bool(_HOLD.rows(person_id, amount_minor, rules.OPEN_ORDERS_MAX))


def leave_orders(agreement_ids: Iterable[UUID], *, by: Actor, at: datetime) -> None:
    """Orders under these agreements have come to their end; a closing one whose last that was ends too."""
    counts: dict[UUID, int] = {}
    for agreement_id in agreement_ids:
        counts[agreement_id] = counts.get(agreement_id, 0) + 1
    keys = sorted(counts)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH rows AS (
                SELECT a.id, v.n FROM unnest(%s::uuid[], %s::int[]) AS v(id, n)
                JOIN credit_agreement a ON a.id = v.id ORDER BY a.id FOR NO KEY UPDATE OF a)
            UPDATE credit_agreement a SET live_orders = a.live_orders - rows.n FROM rows WHERE a.id = rows.id
            RETURNING a.id, a.state, a.live_orders
            """,
            [keys, [counts[key] for key in keys]],
        )
        over = [key for key, state, left in cursor.fetchall() if state == Agreement.State.CLOSING and left == 0]
    for agreement in Agreement.objects.locked_all(over):
        _terminate(agreement, by=by, at=at)


def rejoin_orders(agreement_ids: Iterable[UUID]) -> None:
    """Orders that had come to their end are owed again. Whether the agreement has ended meanwhile does not matter."""
    for agreement_id in sorted(agreement_ids):
        Agreement.objects.filter(pk=agreement_id).update(live_orders=F("live_orders") + 1)


def change_profiles(deltas: Sequence[Delta], *, at: datetime) -> None:
    """Carry what happened to orders into the profiles of their people, in one statement, rows locked by key."""
    counts = ("open_orders", "overdue_orders", "kept_orders", "breached_orders", "eased_orders")
    columns = ("held_minor", "outstanding_minor", *counts)
    sums: dict[UUID, list[int]] = {}
    for delta in deltas:
        row = sums.setdefault(delta.person_id, [0] * (len(columns) + 1))
        for i, name in enumerate(columns):
            row[i] += getattr(delta, name)
        row[-1] += rules.SCORE_STEP.get(delta.score_step, 0)
    people = sorted(sums)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH rows AS (
                SELECT p.person_id, v.* FROM unnest(
                    %s::uuid[], %s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::int[], %s::int[], %s::int[],
                    %s::int[]
                ) AS v(id, held, owed, open, overdue, kept, breached, eased, score)
                JOIN credit_profile p ON p.person_id = v.id ORDER BY p.person_id FOR NO KEY UPDATE OF p)
            UPDATE credit_profile p SET
                held_minor = held_minor + rows.held, outstanding_minor = outstanding_minor + rows.owed,
                open_orders = open_orders + rows.open, overdue_orders = overdue_orders + rows.overdue,
                kept_orders = kept_orders + rows.kept, breached_orders = breached_orders + rows.breached,
                eased_orders = eased_orders + rows.eased,
                score = greatest(%s, least(%s, p.score + rows.score))
            FROM rows WHERE p.person_id = rows.person_id RETURNING p.person_id, p.score
            """,
            [
                people,
                *([sums[p][i] for p in people] for i in range(len(columns) + 1)),
                rules.SCORE_LOWEST,
                rules.SCORE_HIGHEST,
            ],
        )
        scores = dict(cursor.fetchall())
    insert_all([_step(delta, scores[delta.person_id], at=at) for delta in deltas if delta.score_step])


def _step(delta: Delta, score: int, *, at: datetime) -> ScoreChange:
    """What raised or lowered the score, beside what it came to."""
    return ScoreChange(
        person_id=delta.person_id,
        reason=delta.score_step,
        order_id=delta.order_id,
        score=score,
        delta=rules.SCORE_STEP[delta.score_step],
        at=at,
    )


def _terminate(agreement: Agreement, *, by: Actor, at: datetime) -> None:
    agreement.terminate(at=at)
    agreement.record("terminated", by=by, at=at)
    _tell(agreement, "agreement.terminated", at=at)


def _tell(agreement: Agreement, event: str, *, at: datetime) -> None:
    data = {"id": agreement.public_id, "state": agreement.state, "person_ref": agreement.person_ref}
    merchants.publish(
        [merchants.News(agreement.merchant_id, event, agreement.id, data)], realm_id=agreement.realm_id, at=at
    )
