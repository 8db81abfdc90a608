"""Reassess refused decisions; accept new terms of an agreement; reopen a closing agreement."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from credit import rules
from credit.models import Agreement, Decision, Profile, ScoreChange
from credit.queries import build_standing
from credit.refusals import AgreementState, ServicePaused
from credit.services import current_terms, decide
from credit.usage import schedule_review
from kernel.actor import Actor
from kernel.refusal import NotFound
from merchants import services as merchants
from merchants.models import Service
from merchants.refusals import MerchantNotActive


@transaction.atomic
def reassess(decision_id: UUID, *, points: int = 0, at: datetime) -> Decision:
    """Repeat a decision on current data, after giving back `points` that were taken wrongly. Both decisions are kept.

    An approval opens nothing by itself: the person is asked to try again.

    Raises:
        NotFound: there is no such decision.
    """
    old = Decision.objects.select_related("person").filter(pk=decision_id).first()
    if old is None:
        raise NotFound
    profile = Profile.objects.select_for_update(no_key=True).get(pk=old.person_id)
    agreement = Agreement.objects.select_related("service").get(pk=old.agreement_id)
    agreement.person = old.person
    if points:
        _restore_points(profile, points, at=at)
    asked_minor = int(old.inputs["asked_minor"])
    occasion = Decision.Occasion.REVIEW
    return decide(
        build_standing(agreement, profile, at=at), asked_minor, occasion=occasion, out_order_no=old.out_order_no, at=at
    )


@transaction.atomic
def accept_new_terms(agreement_id: UUID, seen_fingerprint: str, *, by: Actor, at: datetime) -> Agreement:
    """The person accepts the current terms; `seen_fingerprint` is the fingerprint of the terms they saw. Idempotent.

    Raises:
        NotFound: there is no such agreement.
        AgreementState: it is not active.
        TermsChanged: the terms have changed since.
    """
    agreement = Agreement.objects.locked(agreement_id)
    if agreement.state != Agreement.State.ACTIVE:
        raise AgreementState
    terms = current_terms(agreement, seen_fingerprint, at=at)
    if terms != agreement.agreed_terms:
        agreement.set_agreed_terms(terms)
        agreement.record("agreed_anew", by=by, at=at)
    return agreement


@transaction.atomic
def reopen_agreement(agreement_id: UUID, *, by: Actor, at: datetime) -> Agreement:
    """Reopen an agreement that is closing, so that new orders are possible. Idempotent.

    There is no assessment, because each order has one.

    Raises:
        NotFound: there is no such agreement.
        AgreementState: it has ended, or was never opened.
        ServicePaused: the service takes no new orders.
        MerchantNotActive: the merchant takes no new orders.
    """
    agreement = Agreement.objects.locked(agreement_id)
    if agreement.state == Agreement.State.ACTIVE:
        return agreement
    if agreement.state != Agreement.State.CLOSING:
        raise AgreementState
    if not agreement.merchant.accepts_orders:
        raise MerchantNotActive
    if agreement.service.state != Service.State.ACTIVE:
        raise ServicePaused
    agreement.reopen()
    agreement.record("reopened", by=by, at=at)
    data = {"id": agreement.public_id, "state": agreement.state, "person_ref": agreement.person_ref}
    event = merchants.NewEvent(agreement.merchant_id, "agreement.activated", agreement.id, data)
    merchants.publish([event], realm_id=agreement.realm_id, at=at)
    return agreement


def _restore_points(profile: Profile, points: int, *, at: datetime) -> None:
    before = profile.score
    profile.score = rules.clamp_score(before + points)
    profile.save(update_fields=["score"])
    ScoreChange.objects.create(
        person_id=profile.person_id, reason="corrected", score=profile.score, delta=profile.score - before, at=at
    )
    schedule_review([profile.person_id], at=at)
