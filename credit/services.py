"""Who may owe: services are opened and closed, promises assessed, limits held and freed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import F

from accounts.models import Person, phone_index
from accounts.phones import e164
from credit import rules
from credit.models import Agreement, Decision, Profile
from credit.queries import Standing, grades_at, is_meant, standing_now, standing_of
from credit.refusals import AgreementState, AlreadyOpened, MeantForAnother, ServicePaused, TermsChanged
from credit.used import hold, open_limit
from kernel.actor import Actor
from kernel.money import Money
from kernel.prepared import Question
from kernel.refusal import NotFound
from kernel.writes import insert_all
from merchants import queries as merchant_queries
from merchants import services as merchants
from merchants.models import Merchant, Service
from merchants.refusals import MerchantNotActive
from merchants.rules import Terms

_JOIN = Question(
    "UPDATE credit_agreement SET live_orders = live_orders + 1 WHERE id = $1 AND state = 'active' RETURNING 1",
    ["uuid"],
)


@dataclass(frozen=True, slots=True)
class Signing:
    """How the person's signature ended: the agreement as it stands, and the assessment."""

    agreement: Agreement
    decision: Decision


def must_take_new(merchant: Merchant, service: Service) -> None:
    """Nothing new begins with a merchant who is not let in, nor under a service that is paused.

    Raises:
        MerchantNotActive, ServicePaused: it is so.
    """
    if not merchant.takes_orders:
        raise MerchantNotActive
    if service.state != Service.State.ACTIVE:
        raise ServicePaused


@transaction.atomic
def request_agreement(
    merchant_id: UUID,
    service_id: UUID,
    person_ref: str,
    *,
    phone: str = "",
    return_url: str = "",
    by: Actor,
    at: datetime,
) -> Agreement:
    """A merchant asks a person, whom it knows as `person_ref`, to open a service; with a `phone`, nobody but them.

    Raises:
        InvalidPhone: no text message can reach it.
        NotFound: no such service of this merchant.
        ServicePaused: it takes nobody new.
        MerchantNotActive: nothing new begins with this merchant.
    """
    service = merchant_queries.service_of(merchant_id, service_id)
    must_take_new(service.merchant, service)
    agreement = Agreement(
        realm_id=service.merchant.realm_id,
        merchant_id=merchant_id,
        service=service,
        person_ref=person_ref,
        meant_phone=phone_index(e164(phone)) if phone else None,
        return_url=return_url,
        created_at=at,
    )
    agreement.record("requested", by=by, at=at)
    return agreement


@transaction.atomic
def open_profile(person: Person, *, currency: str = "CNY", score: int = rules.SCORE_FIRST, at: datetime) -> Profile:
    """The person's credit profile, made at the first opening in the currency of what is opened."""
    grades = grades_at(at)
    profile, _made = Profile.objects.get_or_create(
        person=person,
        defaults={
            "realm_id": person.realm_id,
            "score": score,
            "currency": currency,
            "limit_minor": grades.limit_of(score, currency),
            "created_at": at,
            "review_at": grades.review_after(at),
        },
    )
    return profile


@transaction.atomic
def sign_agreement(agreement_id: UUID, person_id: UUID, *, by: Actor, at: datetime, shown: str = "") -> Signing:
    """The person agrees: assessed, and if that goes well the service is open. A refusal leaves it pending.

    `shown` is the seal of the terms they were shown (merchants.rules.Terms); without one they agree to today's.

    Raises:
        NotFound: no such agreement or person in its realm.
        AgreementState: it was signed by somebody else, or has ended.
        MeantForAnother: the merchant asks somebody else.
        AlreadyOpened: the person opened this service under another agreement.
        TermsChanged: what they were shown is not what is asked for any more.
        MerchantNotActive, ServicePaused: nobody new is taken at the moment.
    """
    person = Person.objects.select_related("user").filter(pk=person_id).first()
    if person is None:
        raise NotFound
    # Two agreements of one person for one service must not both see that there is none: the profile row is the queue.
    currency = Service.objects.filter(agreements=agreement_id).values_list("currency", flat=True).first() or "CNY"
    open_profile(person, currency=currency, at=at)
    profile = Profile.objects.select_for_update(no_key=True).get(pk=person_id)
    agreement = Agreement.objects.locked(agreement_id)
    if agreement.realm_id != person.realm_id:
        raise NotFound
    if agreement.state == Agreement.State.ACTIVE and agreement.person_id == person_id:
        return Signing(agreement, agreement.decisions.filter(occasion="opening", approved=True).earliest("id"))
    _must_be_free_for(agreement, person)
    terms = terms_now(agreement, shown, at=at)
    agreement.person = person
    standing = standing_now(agreement, profile, at=at)
    if standing.abroad:
        open_limit(profile, currency, standing.grades, at=at)
    decision = decide(standing, 0, occasion=Decision.Occasion.OPENING, at=at)
    if decision.approved:
        agreement.activate(person_id, terms, at=at)
        agreement.record("activated", by=by, at=at, decision=decision.id)
        _tell(agreement, "agreement.activated", at=at)
    return Signing(agreement, decision)


def terms_now(agreement: Agreement, shown: str, *, at: datetime) -> Terms:
    """What is asked for now, if it is what was shown.

    Raises:
        TermsChanged: it is not.
    """
    terms = merchant_queries.terms_of(agreement.service, merchant_queries.late_bounds(at))
    if shown and shown != terms.seal:
        raise TermsChanged
    return terms


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
    standing: Standing,
    asked_minor: int,
    *,
    occasion: str,
    at: datetime,
    out_order_no: str = "",
    holding: bool = False,
    joining: bool = False,
) -> Decision:
    """Assess, and keep what was asked, seen and decided; `holding` sets the amount aside in the same breath, and
    `joining` counts one more order that lives under the agreement.

    Where another order was quicker to the limit, the decision is made again on what it left.

    Raises:
        AgreementState: nobody has signed it, or it takes no new orders any more.
    """
    agreement = standing.agreement
    if agreement.person_id is None:
        raise AgreementState
    facts = standing.facts(asked_minor)
    verdict = rules.assess(facts)
    asked, joined = Money(asked_minor, agreement.service.currency), agreement.id if joining else None
    while (
        holding
        and verdict.approved
        and not hold(agreement.person_id, asked, facts, abroad=standing.abroad, joining=joined)
    ):
        facts = standing_of(agreement.id, at=at).facts(asked_minor)
        verdict = rules.assess(facts)
    decision = Decision(
        realm_id=agreement.realm_id,
        person_id=agreement.person_id,
        merchant_id=agreement.merchant_id,
        agreement=agreement,
        occasion=occasion,
        out_order_no=out_order_no,
        policy=standing.policy,
        inputs=msgspec.to_builtins(facts),
        approved=verdict.approved,
        reasons=[reason.value for reason in verdict.reasons],
        at=at,
    )
    insert_all([decision])
    return decision


def join_order(agreement_id: UUID) -> bool:
    """One more order lives under the agreement; False if it takes no new ones any more."""
    return bool(_JOIN.rows(agreement_id))


def lock_profile(person_id: UUID) -> Profile | None:
    """The person's profile as it stays until the transaction ends; none of somebody who has left for good."""
    return Profile.objects.select_for_update(no_key=True).filter(pk=person_id, frozen_at__isnull=True).first()


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


def _must_be_free_for(agreement: Agreement, person: Person) -> None:
    """Nothing stands in the way of this person's signature but what their assessment says."""
    if agreement.state != Agreement.State.PENDING:
        raise AgreementState
    if not is_meant(agreement, person):
        raise MeantForAnother
    must_take_new(agreement.merchant, agreement.service)
    opened = Agreement.objects.filter(service_id=agreement.service_id, person_id=person.id)
    if opened.filter(state__in=[Agreement.State.ACTIVE, Agreement.State.CLOSING]).exists():
        raise AlreadyOpened


def _terminate(agreement: Agreement, *, by: Actor, at: datetime) -> None:
    agreement.terminate(at=at)
    agreement.record("terminated", by=by, at=at)
    _tell(agreement, "agreement.terminated", at=at)


def _tell(agreement: Agreement, event: str, *, at: datetime) -> None:
    data = {"id": agreement.public_id, "state": agreement.state, "person_ref": agreement.person_ref}
    merchants.publish(
        [merchants.News(agreement.merchant_id, event, agreement.id, data)], realm_id=agreement.realm_id, at=at
    )
