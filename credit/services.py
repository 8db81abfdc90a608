"""Agreements and credit decisions: open and stop services, assess, and count live orders."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import F

from accounts.models import Person, phone_index
from accounts.phones import normalize_phone
from credit import rules
from credit.models import Agreement, Decision, Profile
from credit.queries import Standing, build_standing, is_addressed_to, limit_terms_at, standing_of
from credit.refusals import AgreementState, AlreadyOpened, MeantForAnother, ServicePaused, TermsChanged
from credit.usage import hold_credit, open_currency_limit
from kernel.actor import Actor
from kernel.bulk_writes import insert_all
from kernel.money import Money
from kernel.prepared_statements import PreparedStatement
from kernel.refusal import NotFound
from merchants import queries as merchant_queries
from merchants import services as merchants
from merchants.models import Merchant, Service
from merchants.refusals import MerchantNotActive
from merchants.rules import ServiceTerms

_ADD_LIVE_ORDER = PreparedStatement(
    "UPDATE credit_agreement SET live_orders = live_orders + 1 WHERE id = $1 AND state = 'active' RETURNING 1",
    ["uuid"],
)


@dataclass(frozen=True, slots=True)
class SignResult:
    """The result of signing: the agreement and the decision."""

    agreement: Agreement
    decision: Decision


def check_accepts_new(merchant: Merchant, service: Service) -> None:
    """Check that the merchant is active and the service accepts new agreements and orders.

    Raises:
        MerchantNotActive, ServicePaused: it does not.
    """
    if not merchant.accepts_orders:
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
    """Create an agreement for a person, known to the merchant as `person_ref`; with `phone`, only they can sign it.

    Raises:
        InvalidPhone: the number cannot receive text messages.
        NotFound: no such service of this merchant.
        ServicePaused: the service accepts no new agreements.
        MerchantNotActive: the merchant is not active.
    """
    service = merchant_queries.service_of(merchant_id, service_id)
    check_accepts_new(service.merchant, service)
    agreement = Agreement(
        realm_id=service.merchant.realm_id,
        merchant_id=merchant_id,
        service=service,
        person_ref=person_ref,
        meant_phone=phone_index(normalize_phone(phone)) if phone else None,
        return_url=return_url,
        created_at=at,
    )
    agreement.record("requested", by=by, at=at)
    return agreement


@transaction.atomic
def open_profile(person: Person, *, currency: str = "CNY", score: int = rules.INITIAL_SCORE, at: datetime) -> Profile:
    """The person's profile, created when they open their first service, in its currency."""
    limit_terms = limit_terms_at(at)
    profile, _made = Profile.objects.get_or_create(
        person=person,
        defaults={
            "realm_id": person.realm_id,
            "score": score,
            "currency": currency,
            "limit_minor": limit_terms.limit_of(score, currency),
            "created_at": at,
            "review_at": limit_terms.review_after(at),
        },
    )
    return profile


@transaction.atomic
def sign_agreement(
    agreement_id: UUID, person_id: UUID, *, by: Actor, at: datetime, seen_fingerprint: str = ""
) -> SignResult:
    """The person signs the agreement and is assessed; if approved, the service is open, otherwise it stays pending.

    `seen_fingerprint` names the terms they saw (merchants.rules.Terms); without one they agree to the current terms.

    Raises:
        NotFound: no such agreement or person in its realm.
        AgreementState: it was signed by somebody else, or has ended.
        MeantForAnother: the merchant addressed it to another phone number.
        AlreadyOpened: the person opened this service under another agreement.
        TermsChanged: the terms have changed since they were seen.
        MerchantNotActive, ServicePaused: no new agreements are accepted at the moment.
    """
    person = Person.objects.select_related("user").filter(pk=person_id).first()
    if person is None:
        raise NotFound
    # Locking the profile serializes signatures: two agreements of one person for one service must not both be opened.
    currency = Service.objects.filter(agreements=agreement_id).values_list("currency", flat=True).first() or "CNY"
    open_profile(person, currency=currency, at=at)
    profile = Profile.objects.select_for_update(no_key=True).get(pk=person_id)
    agreement = Agreement.objects.locked(agreement_id)
    if agreement.realm_id != person.realm_id:
        raise NotFound
    if agreement.state == Agreement.State.ACTIVE and agreement.person_id == person_id:
        return SignResult(agreement, agreement.decisions.filter(occasion="opening", approved=True).earliest("id"))
    _check_signable_by(agreement, person)
    terms = current_terms(agreement, seen_fingerprint, at=at)
    agreement.person = person
    standing = build_standing(agreement, profile, at=at)
    if standing.is_foreign_currency:
        open_currency_limit(profile, currency, standing.limit_terms, at=at)
    decision = decide(standing, 0, occasion=Decision.Occasion.OPENING, at=at)
    if decision.approved:
        agreement.activate(person_id, terms, at=at)
        agreement.record("activated", by=by, at=at, decision=decision.id)
        _publish(agreement, "agreement.activated", at=at)
    return SignResult(agreement, decision)


def current_terms(agreement: Agreement, seen_fingerprint: str, *, at: datetime) -> ServiceTerms:
    """The current terms, if they are the ones with `seen_fingerprint`.

    Raises:
        TermsChanged: they are not.
    """
    terms = merchant_queries.terms_of(agreement.service, merchant_queries.late_bounds(at))
    if seen_fingerprint and seen_fingerprint != terms.fingerprint:
        raise TermsChanged
    return terms


@transaction.atomic
def stop_agreement(agreement_id: UUID, *, by: Actor, at: datetime) -> Agreement:
    """Stop new orders. If orders are open, the agreement ends with the last payment. Idempotent."""
    agreement = Agreement.objects.locked(agreement_id)
    if agreement.state in (Agreement.State.CLOSING, Agreement.State.TERMINATED):
        return agreement
    if agreement.state == Agreement.State.ACTIVE and agreement.live_orders:
        agreement.close(at=at)
        agreement.record("closing", by=by, at=at)
        _publish(agreement, "agreement.closing", at=at)
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
    hold_amount: bool = False,
    count_order: bool = False,
) -> Decision:
    """Assess an amount and store the decision; `hold_amount` also holds it, and `count_order` adds a live order.

    Raises:
        AgreementState: the agreement is not signed, or takes no new orders.
    """
    agreement = standing.agreement
    if agreement.person_id is None:
        raise AgreementState
    hold = partial(
        hold_credit,
        agreement.person_id,
        Money(asked_minor, agreement.service.currency),
        is_foreign_currency=standing.is_foreign_currency,
        agreement_id=agreement.id if count_order else None,
    )
    facts, verdict = _assess(standing, asked_minor, hold if hold_amount else None, at=at)
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


def _assess(
    standing: Standing, asked_minor: int, hold: Callable[[rules.Facts], bool] | None, *, at: datetime
) -> tuple[rules.Facts, rules.Verdict]:
    """Assess an amount and hold it; again on what is left if a concurrent order used up the limit first."""
    facts = standing.facts(asked_minor)
    verdict = rules.assess(facts)
    while hold and verdict.approved and not hold(facts):
        facts = standing_of(standing.agreement.id, at=at).facts(asked_minor)
        verdict = rules.assess(facts)
    return facts, verdict


def add_live_order(agreement_id: UUID) -> bool:
    """Add a live order to the agreement; False if it takes no new orders."""
    return bool(_ADD_LIVE_ORDER.rows(agreement_id))


def lock_profile(person_id: UUID) -> Profile | None:
    """The person's profile, locked; None if their data was erased."""
    return Profile.objects.select_for_update(no_key=True).filter(pk=person_id, frozen_at__isnull=True).first()


def remove_live_orders(agreement_ids: Iterable[UUID], *, by: Actor, at: datetime) -> None:
    """Remove ended orders from these agreements; a closing agreement without live orders ends too."""
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
        ended = [key for key, state, left in cursor.fetchall() if state == Agreement.State.CLOSING and left == 0]
    for agreement in Agreement.objects.locked_all(ended):
        _terminate(agreement, by=by, at=at)


def restore_live_orders(agreement_ids: Iterable[UUID]) -> None:
    """Add orders that are owed again after they had ended, even if the agreement has ended meanwhile."""
    for agreement_id in sorted(agreement_ids):
        Agreement.objects.filter(pk=agreement_id).update(live_orders=F("live_orders") + 1)


def _check_signable_by(agreement: Agreement, person: Person) -> None:
    """Check everything but the assessment that could prevent this person from signing."""
    if agreement.state != Agreement.State.PENDING:
        raise AgreementState
    if not is_addressed_to(agreement, person):
        raise MeantForAnother
    check_accepts_new(agreement.merchant, agreement.service)
    agreements = Agreement.objects.filter(service_id=agreement.service_id, person_id=person.id)
    if agreements.filter(state__in=[Agreement.State.ACTIVE, Agreement.State.CLOSING]).exists():
        raise AlreadyOpened


def _terminate(agreement: Agreement, *, by: Actor, at: datetime) -> None:
    agreement.terminate(at=at)
    agreement.record("terminated", by=by, at=at)
    _publish(agreement, "agreement.terminated", at=at)


def _publish(agreement: Agreement, event: str, *, at: datetime) -> None:
    data = {"id": agreement.public_id, "state": agreement.state, "person_ref": agreement.person_ref}
    merchants.publish(
        [merchants.NewEvent(agreement.merchant_id, event, agreement.id, data)], realm_id=agreement.realm_id, at=at
    )
