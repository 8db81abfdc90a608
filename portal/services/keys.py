"""Rotation and revocation of a merchant's API keys by its own staff."""

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
    """A revoked key cannot be rotated."""

    code, title = "key_revoked", _("This key has already been revoked.")


@transaction.atomic
def rotate_key(merchant_id: UUID, key_id: UUID, *, by: Actor, at: datetime) -> tuple[ApiKey, str]:
    """Issue a second key with the same name and scopes; the old one works until it is revoked.

    Raises:
        NotFound: missing, or another merchant's.
        KeyRevoked, TooManyKeys: the key is revoked; an earlier rotation is not finished.
    """
    key = queries.api_key_of(merchant_id, key_id)
    if key.revoked_at is not None:
        raise KeyRevoked
    return merchants.issue_key(merchant_id, scopes=key.scopes, name=key.name, by=by, at=at)


@transaction.atomic
def revoke_own_key(merchant_id: UUID, key_id: UUID, *, by: Actor, at: datetime) -> None:
    """Revoke the merchant's key at once.

    Raises:
        NotFound: missing, or another merchant's.
    """
    merchants.revoke_key(queries.api_key_of(merchant_id, key_id).id, by=by, at=at)
