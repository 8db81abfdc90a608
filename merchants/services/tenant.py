"""A merchant offers services and holds keys."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kernel.actor import Actor
from kernel.models import LIVE
from kernel.money import OFFERED
from kernel.refusal import FieldError, Invalid, NotFound, Refusal
from merchants import rules
from merchants.models import ApiKey, Merchant, Service
from merchants.refusals import MerchantNotActive
from merchants.rules.joining import STANDARD_FEE_BPS
from merchants.services.late import within_policy
from merchants.services.record import note

#: A key's last use is known to the hour.
USE_KEPT_TO = timedelta(hours=1)


class TooManyKeys(Refusal):
    """Two of this name that may do the same are live already, or as many as there may be in all."""

    code, title = (
        "too_many_keys",
        _("There are already two active keys with this name and these permissions, or six in total; revoke one first."),
    )


class UnknownPolicy(Invalid):
    """Debts of this service could not be collected by it: there is no retry policy of that name."""

    code, title = "unknown_policy", _("No such retry policy.")


@transaction.atomic
def issue_key(
    merchant_id: UUID, *, scopes: Sequence[str] = rules.ALL_SCOPES, name: str = "", by: Actor, at: datetime
) -> tuple[ApiKey, str]:
    """A new secret for the merchant, returned this once and never again.

    Raises:
        TooManyKeys: two of its kind are live, or as many as there may be.
        MerchantNotActive: they were not let in.
    """
    merchant = Merchant.objects.select_for_update(of=("self",), no_key=True).select_related("realm").get(pk=merchant_id)
    if not merchant.joined:
        raise MerchantNotActive
    live = merchant.api_keys.filter(revoked_at__isnull=True).values_list("name", "scopes")
    if not rules.may_add(live, name, scopes):
        raise TooManyKeys
    secret = rules.new_secret(merchant.mode)
    key = ApiKey.objects.create(
        merchant=merchant,
        name=name,
        digest=rules.digest(secret),
        hint=rules.hint(secret),
        scopes=list(scopes),
        created_at=at,
    )
    note(merchant.id, "key_issued", key.id, by=by, at=at, hint=key.hint, scopes=list(scopes))
    return key, secret


def note_use(key: ApiKey, *, real: datetime) -> None:
    """The key has opened a door. It is written down once an hour, however busy it is."""
    before = real - USE_KEPT_TO
    if key.used_at is None or key.used_at < before:
        unnoted = ApiKey.objects.filter(Q(used_at__isnull=True) | Q(used_at__lt=before), pk=key.pk)
        unnoted.update(used_at=real)


@transaction.atomic
def revoke_key(key_id: UUID, *, by: Actor, at: datetime) -> None:
    """The secret opens nothing from this moment on.

    Raises:
        NotFound: there is no such key.
    """
    key = ApiKey.objects.select_for_update(no_key=True).filter(pk=key_id).first()
    if key is None:
        raise NotFound
    if key.revoked_at is None:
        key.revoked_at = at
        key.save(update_fields=["revoked_at"])
        note(key.merchant_id, "key_revoked", key.id, by=by, at=at)


@transaction.atomic
def offer_service(merchant_id: UUID, terms: dict[str, Any], *, by: Actor, at: datetime) -> Service:
    """The merchant offers something to use now and pay for later.

    Raises:
        UnknownPolicy: it is to be collected by a policy that there is not.
        Invalid: a merchant sets its own fee, where money is real; nobody here has a limit in its currency; whoever is
            late would be worse off than the platform permits.
    """
    if terms.get("currency", "CNY") not in OFFERED:
        raise Invalid(errors=[FieldError("/currency", _("This currency is not supported."))])
    own = by.kind in {"merchant", "member"} and terms.get("fee_bps", STANDARD_FEE_BPS) != STANDARD_FEE_BPS
    if own and Merchant.objects.filter(pk=merchant_id, realm_id=LIVE).exists():
        raise Invalid(errors=[FieldError("/fee_bps", _("The platform sets the fee in live mode; leave it out."))])
    terms = within_policy(terms, at=at)
    with _a_known_policy():
        service = Service.objects.create(merchant_id=merchant_id, created_at=at, **terms)
    note(merchant_id, "service_offered", service.id, by=by, at=at, **terms)
    return service


@transaction.atomic
def change_service(merchant_id: UUID, service_id: UUID, terms: dict[str, Any], *, by: Actor, at: datetime) -> Service:
    """Other terms from now on; orders already open keep theirs.

    Raises:
        NotFound: missing, or another merchant's.
        UnknownPolicy, Invalid: as offering it says. What stays as it was is not looked at again.
    """
    service = Service.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, pk=service_id).first()
    if service is None:
        raise NotFound
    terms = within_policy(terms, before=service, at=at)
    for name, value in terms.items():
        setattr(service, name, value)
    with _a_known_policy():
        service.save(update_fields=list(terms))
    note(merchant_id, "service_changed", service.id, by=by, at=at, **terms)
    return service


@contextmanager
def _a_known_policy() -> Iterator[None]:
    """Policies stand two floors above: PostgreSQL knows them, and says so as the row is written."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as stopped:
        diag = getattr(stopped.__cause__, "diag", None)
        if getattr(diag, "constraint_name", None) != "a_service_names_a_known_policy":
            raise
        raise UnknownPolicy(errors=[FieldError("/retry_policy", UnknownPolicy.title)]) from None
