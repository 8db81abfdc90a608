"""A link that signs a browser in as a made-up person: their merchant asks for it, it is good once and for minutes.

Real people sign in by a code to their phone and by nothing else: no link of theirs is ever made, and none would open.
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
from accounts.refusals import LinkOver, SandboxOnly
from kernel.forms import first_time, was_sent
from kernel.models import LIVE

GOOD_FOR = timedelta(minutes=5)
SIGNER = signing.Signer(salt="accounts.sandbox_links")


@dataclass(frozen=True, slots=True)
class Link:
    """Where the browser goes, and until when (in real time)."""

    url: str
    expires_at: datetime


def link_for(person: Person, *, to: str = "", real: datetime) -> Link:
    """A link that signs in as this person and comes out at `to`, a page of ours.

    Raises:
        SandboxOnly: the person is real.
    """
    if person.realm_id == LIVE:
        raise SandboxOnly
    until = (real + GOOD_FOR).replace(microsecond=0)
    named = {"person": person.id.hex, "until": int(until.timestamp()), "once": secrets.token_hex(12)}
    path = reverse("sandbox_sign_in", args=[SIGNER.sign_object(named)])
    return Link(f"{settings.BASE_URL}{path}{'?' + urlencode({'next': to}) if to else ''}", until)


def person_of(token: str, *, real: datetime) -> Person:
    """Whom the link signs in as. Looking uses nothing up.

    Raises:
        LinkOver: it is no link of ours, too old, was used, or its person is not made up or cannot sign in.
    """
    person, once = _read(token, real=real)
    if was_sent(person.id, once):
        raise LinkOver
    return person


def use_link(token: str, *, real: datetime) -> User:
    """The user it signs in, and the link is used up.

    Raises:
        LinkOver: as above, or it was used before.
    """
    person, once = _read(token, real=real)
    if person.user is None or not first_time(person.id, once, "sandbox_sign_in"):
        raise LinkOver
    return person.user


def _read(token: str, *, real: datetime) -> tuple[Person, str]:
    try:
        named = SIGNER.unsign_object(token)
    except signing.BadSignature:
        raise LinkOver from None
    rows = (
        Person.objects.select_related("user").exclude(realm_id=LIVE).filter(user__is_active=True, user__is_staff=False)
    )
    person = rows.filter(pk=UUID(named["person"])).first()
    if person is None or real.timestamp() > named["until"]:
        raise LinkOver
    return person, str(named["once"])
