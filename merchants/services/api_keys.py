"""API keys of a merchant: issue and revoke them, and record their use."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kernel.actor import Actor
from kernel.refusal import NotFound, Refusal
from merchants import rules
from merchants.models import ApiKey, Merchant
from merchants.refusals import MerchantNotActive
from merchants.services.change_log import record_change

#: The last use of a key is stored accurate to the hour.
KEY_USE_PRECISION = timedelta(hours=1)


class TooManyKeys(Refusal):
    """Two active keys have this name and these scopes, or the merchant has the maximum number of keys."""

    code, title = (
        "too_many_keys",
        _("There are already two active keys with this name and these permissions, or six in total; revoke one first."),
    )


@transaction.atomic
def issue_key(
    merchant_id: UUID, *, scopes: Sequence[str] = rules.ALL_SCOPES, name: str = "", by: Actor, at: datetime
) -> tuple[ApiKey, str]:
    """Issue a new API key. Its secret is returned only here.

    Raises:
        TooManyKeys: two active keys have this name and scopes, or there are as many as allowed.
        MerchantNotActive: the merchant was not onboarded yet.
    """
    merchant = Merchant.objects.select_for_update(of=("self",), no_key=True).select_related("realm").get(pk=merchant_id)
    if not merchant.is_onboarded:
        raise MerchantNotActive
    live = merchant.api_keys.filter(revoked_at__isnull=True).values_list("name", "scopes")
    if not rules.can_add_key(live, name, scopes):
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
    record_change(merchant.id, "key_issued", key.id, by=by, at=at, hint=key.hint, scopes=list(scopes))
    return key, secret


def record_key_use(key: ApiKey, *, now: datetime) -> None:
    """Record that the key was used. It is written at most once an hour."""
    before = now - KEY_USE_PRECISION
    if key.used_at is None or key.used_at < before:
        outdated = ApiKey.objects.filter(Q(used_at__isnull=True) | Q(used_at__lt=before), pk=key.pk)
        outdated.update(used_at=now)


@transaction.atomic
def revoke_key(key_id: UUID, *, by: Actor, at: datetime) -> None:
    """Revoke a key: it stops working at once.

    Raises:
        NotFound: there is no such key.
    """
    key = ApiKey.objects.select_for_update(no_key=True).filter(pk=key_id).first()
    if key is None:
        raise NotFound
    if key.revoked_at is None:
        key.revoked_at = at
        key.save(update_fields=["revoked_at"])
        record_change(key.merchant_id, "key_revoked", key.id, by=by, at=at)
