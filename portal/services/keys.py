"""A merchant's keys, by the merchant's own staff."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from kernel.actor import Actor
from kernel.refusal import NotFound, Refusal
from merchants import services as merchants
from merchants.models import ApiKey


class KeyRevoked(Refusal):
    """It opens nothing, and so has nothing to hand on."""

    code, title = "key_revoked", _("This key was revoked already.")


@transaction.atomic
def rotate_key(merchant_id: UUID, key_id: UUID, *, by: Actor, at: datetime) -> tuple[ApiKey, str]:
    """Another key with the name and rights of this one, which works on until it is revoked.

    Raises:
        NotFound: missing, or another merchant's.
        KeyRevoked, TooManyKeys: it has nothing to hand on; a rotation is not finished yet.
    """
    key = ApiKey.objects.filter(merchant_id=merchant_id, pk=key_id).first()
    if key is None:
        raise NotFound
    if key.revoked_at is not None:
        raise KeyRevoked
    return merchants.issue_key(merchant_id, scopes=key.scopes, name=key.name, by=by, at=at)


@transaction.atomic
def revoke_own_key(merchant_id: UUID, key_id: UUID, *, by: Actor, at: datetime) -> None:
    """The merchant's key opens nothing from now on.

    Raises:
        NotFound: missing, or another merchant's.
    """
    if not ApiKey.objects.filter(merchant_id=merchant_id, pk=key_id).exists():
        raise NotFound
    merchants.revoke_key(key_id, by=by, at=at)
