"""A refusal is looked at again; a service that was being stopped goes on."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from credit import rules
from credit.models import Agreement, Decision, Profile, ScoreChange
from credit.queries import standing_now
from credit.refusals import AgreementState, ServicePaused
from credit.services import decide, terms_now
from credit.used import review_now
from kernel.actor import Actor
from kernel.refusal import NotFound
from merchants import services as merchants
from merchants.models import Service
from merchants.refusals import MerchantNotActive


@transaction.atomic
def decide_again(decision_id: UUID, *, points: int = 0, at: datetime) -> Decision:
    """The same question on what is true now, after `points` that were taken wrongly are given back. Both are kept.

    It opens nothing by itself: if it goes well, whoever was refused is asked to try again.

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
        _give_back(profile, points, at=at)
    asked = int(old.inputs["asked_minor"])
    occasion = Decision.Occasion.REVIEW
    return decide(
        standing_now(agreement, profile, at=at), asked, occasion=occasion, out_order_no=old.out_order_no, at=at
    )


@transaction.atomic
def agree_anew(agreement_id: UUID, shown: str, *, by: Actor, at: datetime) -> Agreement:
    """The person says yes to what the merchant asks for now; `shown` is the seal of what they saw. Twice is once.

    Raises:
        NotFound: there is no such agreement.
        AgreementState: it is not open.
        TermsChanged: what they saw is not what is asked for any more.
    """
    agreement = Agreement.objects.locked(agreement_id)
    if agreement.state != Agreement.State.ACTIVE:
        raise AgreementState
    terms = terms_now(agreement, shown, at=at)
    if terms != agreement.agreed:
        agreement.agree_to(terms)
        agreement.record("agreed_anew", by=by, at=at)
    return agreement


@transaction.atomic
def reopen_agreement(agreement_id: UUID, *, by: Actor, at: datetime) -> Agreement:
    """New orders are possible again of a service whose last orders are still under way. Twice is once.

    Each order is assessed as ever, so opening it again is not.

    Raises:
        NotFound: there is no such agreement.
        AgreementState: it has ended, or was never opened.
        ServicePaused: the merchant takes nothing new.
        MerchantNotActive: nothing new begins with this merchant.
    """
    agreement = Agreement.objects.locked(agreement_id)
    if agreement.state == Agreement.State.ACTIVE:
        return agreement
    if agreement.state != Agreement.State.CLOSING:
        raise AgreementState
    if not agreement.merchant.takes_orders:
        raise MerchantNotActive
    if agreement.service.state != Service.State.ACTIVE:
        raise ServicePaused
    agreement.reopen()
    agreement.record("reopened", by=by, at=at)
    data = {"id": agreement.public_id, "state": agreement.state, "person_ref": agreement.person_ref}
    news = merchants.News(agreement.merchant_id, "agreement.activated", agreement.id, data)
    merchants.publish([news], realm_id=agreement.realm_id, at=at)
    return agreement


def _give_back(profile: Profile, points: int, *, at: datetime) -> None:
    before = profile.score
    profile.score = rules.bounded(before + points)
    profile.save(update_fields=["score"])
    ScoreChange.objects.create(
        person_id=profile.person_id, reason="corrected", score=profile.score, delta=profile.score - before, at=at
    )
    review_now([profile.person_id], at=at)
