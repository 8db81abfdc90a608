"""The services that a merchant offers: create and change them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from kernel.actor import Actor
from kernel.models import LIVE
from kernel.money import OFFERED_CURRENCIES
from kernel.refusal import FieldError, Invalid, NotFound
from merchants.models import Merchant, Service
from merchants.rules.onboarding import STANDARD_FEE_BPS
from merchants.services.change_log import record_change
from merchants.services.late_terms import apply_late_policy


class UnknownPolicy(Invalid):
    """There is no retry policy of that name."""

    code, title = "unknown_policy", _("No such retry policy.")


@transaction.atomic
def offer_service(merchant_id: UUID, terms: dict[str, Any], *, by: Actor, at: datetime) -> Service:
    """Create a service of the merchant.

    Raises:
        UnknownPolicy: there is no such retry policy.
        Invalid: a merchant sets its own fee in live mode; the currency is not offered; the late terms are harsher than
            the platform's policy permits.
    """
    if terms.get("currency", "CNY") not in OFFERED_CURRENCIES:
        raise Invalid(errors=[FieldError("/currency", _("This currency is not supported."))])
    sets_own_fee = by.kind in {"merchant", "member"} and terms.get("fee_bps", STANDARD_FEE_BPS) != STANDARD_FEE_BPS
    if sets_own_fee and Merchant.objects.filter(pk=merchant_id, realm_id=LIVE).exists():
        raise Invalid(errors=[FieldError("/fee_bps", _("The platform sets the fee in live mode; leave it out."))])
    terms = apply_late_policy(terms, at=at)
    with _check_retry_policy():
        service = Service.objects.create(merchant_id=merchant_id, created_at=at, **terms)
    record_change(merchant_id, "service_offered", service.id, by=by, at=at, **terms)
    return service


@transaction.atomic
def change_service(merchant_id: UUID, service_id: UUID, terms: dict[str, Any], *, by: Actor, at: datetime) -> Service:
    """Change the terms of a service from now on; open orders keep theirs.

    Raises:
        NotFound: missing, or another merchant's.
        UnknownPolicy, Invalid: see `offer_service`. Unchanged terms are not checked again.
    """
    service = Service.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, pk=service_id).first()
    if service is None:
        raise NotFound
    terms = apply_late_policy(terms, before=service, at=at)
    for name, value in terms.items():
        setattr(service, name, value)
    with _check_retry_policy():
        service.save(update_fields=list(terms))
    record_change(merchant_id, "service_changed", service.id, by=by, at=at, **terms)
    return service


@contextmanager
def _check_retry_policy() -> Iterator[None]:
    """Turn the violation of the database constraint on policy names into a refusal.

    Retry policies belong to a layer above, so only PostgreSQL knows them here.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as stopped:
        diag = getattr(stopped.__cause__, "diag", None)
        if getattr(diag, "constraint_name", None) != "a_service_names_a_known_policy":
            raise
        raise UnknownPolicy(errors=[FieldError("/retry_policy", UnknownPolicy.title)]) from None
