"""Links that sign a browser in as a sandbox person, requested by the merchant, valid once and for five minutes.

Real people can only sign in with a code sent to their phone: no such link is created or accepted for them.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.http import urlencode

from accounts.models import Person, User
from accounts.refusals import SandboxLinkExpired, SandboxOnly
from kernel.forms import claim_token, was_submitted
from kernel.models import LIVE

LINK_LIFETIME = timedelta(minutes=5)
SIGNER = signing.Signer(salt="accounts.sandbox_links")


@dataclass(frozen=True, slots=True)
class SignInLink:
    """The URL of a sign-in link, and its expiry in real time."""

    url: str
    expires_at: datetime


def link_for(person: Person, *, to: str = "", now: datetime) -> SignInLink:
    """Create a link that signs in as this person and then redirects to the path `to`.

    Raises:
        SandboxOnly: the person is real.
    """
    if person.realm_id == LIVE:
        raise SandboxOnly
    until = (now + LINK_LIFETIME).replace(microsecond=0)
    payload = {"person": person.id.hex, "until": int(until.timestamp()), "once": secrets.token_hex(12)}
    path = reverse("sandbox_sign_in", args=[SIGNER.sign_object(payload)])
    return SignInLink(f"{settings.BASE_URL}{path}{'?' + urlencode({'next': to}) if to else ''}", until)


def person_of(token: str, *, now: datetime) -> Person:
    """The person that the link signs in as. Does not use the link up.

    Raises:
        SandboxLinkExpired: it is invalid, expired or used, or for a person who is real or cannot sign in.
    """
    person, once = _parse_token(token, now=now)
    if was_submitted(person.id, once):
        raise SandboxLinkExpired
    return person


def use_link(token: str, *, now: datetime) -> User:
    """Use up the link, and return the user to sign in.

    Raises:
        SandboxLinkExpired: see `person_of`.
    """
    person, once = _parse_token(token, now=now)
    if person.user is None or not claim_token(person.id, once, "sandbox_sign_in"):
        raise SandboxLinkExpired
    return person.user


def _parse_token(token: str, *, now: datetime) -> tuple[Person, str]:
    try:
        payload = SIGNER.unsign_object(token)
    except signing.BadSignature:
        raise SandboxLinkExpired from None
    rows = (
        Person.objects.select_related("user").exclude(realm_id=LIVE).filter(user__is_active=True, user__is_staff=False)
    )
    person = rows.filter(pk=UUID(payload["person"])).first()
    if person is None or now.timestamp() > payload["until"]:
        raise SandboxLinkExpired
    return person, str(payload["once"])
