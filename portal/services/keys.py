"""A merchant's keys, by the merchant's own staff."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from kernel.actor import Actor
from kernel.refusal import Refusal
from merchants import services as merchants
from merchants.models import ApiKey
from portal import queries


class KeyRevoked(Refusal):
    """It opens nothing, and so has nothing to hand on."""

    code, title = "key_revoked", _("This key has already been revoked.")


@transaction.atomic
def rotate_key(merchant_id: UUID, key_id: UUID, *, by: Actor, at: datetime) -> tuple[ApiKey, str]:
    """Another key with the name and rights of this one, which works on until it is revoked.

    Raises:
        NotFound: missing, or another merchant's.
        KeyRevoked, TooManyKeys: it has nothing to hand on; a rotation is not finished yet.
    """
    key = queries.key_of(merchant_id, key_id)
    if key.revoked_at is not None:
        raise KeyRevoked
    return merchants.issue_key(merchant_id, scopes=key.scopes, name=key.name, by=by, at=at)


@transaction.atomic
def revoke_own_key(merchant_id: UUID, key_id: UUID, *, by: Actor, at: datetime) -> None:
    """The merchant's key opens nothing from now on.

    Raises:
        NotFound: missing, or another merchant's.
    """
    merchants.revoke_key(queries.key_of(merchant_id, key_id).id, by=by, at=at)
