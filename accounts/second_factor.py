"""The second factor of whoever has one: six digits of an app, a passkey, and codes for when both are lost.

People have it beside the code to their phone, a merchant's staff beside their password. One lives as long as an app or
a passkey does: with the last of them the codes for emergencies go, too.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from allauth.account import app_settings
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.account.utils import user_display
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, validate_totp_code
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import enrolment, reach
from accounts.models import AccountEvent, Person, User
from accounts.refusals import TooManyPasskeys
from kernel import encryption
from kernel.actor import Actor
from kernel.refusal import NotFound

PASSKEYS_MAX, NAME_MAX = 10, 40
_PLACE = "mfa_authenticator.data"
_TOTP, _CODES = Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES
_PASSKEY = Authenticator.Type.WEBAUTHN
#: Where a secret waits in the session, which is sealed, until its first code was shown.
_WAITING = "totp_waiting"


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is not typed
    """Named by MFA_ADAPTER: secrets at rest are sealed, as all that could let somebody in."""

    error_messages: ClassVar[dict[str, str | Promise]] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("The code is incorrect or has already been used."),
    }

    def encrypt(self, text: str) -> str:
        return base64.b64encode(encryption.seal(text, place=_PLACE)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.unseal(base64.b64decode(encrypted_text), place=_PLACE)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Passkeys are for the host of BASE_URL for ever, whatever a request calls us."""
        return {"id": urlsplit(settings.BASE_URL).hostname or "", "name": settings.MFA_TOTP_ISSUER}

    def _get_user_identifier(self, user: User) -> str:
        return str(user_display(user))


class NotFreshError(Exception):
    """Whoever would change it has not just shown who they are, by what is held now. Their page asks for that."""


@dataclass(frozen=True, slots=True)
class Held:
    """What somebody has of it."""

    app: Any = None
    passkeys: Sequence[Any] = field(default_factory=tuple)
    codes_left: int = 0

    @property
    def on(self) -> bool:
        return self.app is not None or bool(self.passkeys)


def of(user: User) -> Held:
    """All of it, by one question."""
    rows = list(Authenticator.objects.filter(user_id=user.pk).order_by("pk"))
    codes = [row.wrap() for row in rows if row.type == _CODES]
    return Held(
        next((row for row in rows if row.type == _TOTP), None),
        [row for row in rows if row.type == _PASSKEY],
        len(codes[0].get_unused_codes()) if codes else 0,
    )


def has_one(user: User) -> bool:
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=[_TOTP, _PASSKEY]).exists())


def shown_in(request: HttpRequest, user: User) -> bool:
    """Whether whoever is signed in here has shown in this session one that they still have."""
    return bool(_shown(request, user, _held_since(user)))


def fresh_in(request: HttpRequest, user: User, *, at: datetime) -> bool:
    """Whether they have just shown again who they are: by it, or who has none by a password or a texted code."""
    held = _held_since(user)
    if held:
        proofs = [record for record in _shown(request, user, held) if record.get("reauthenticated")]
    else:
        records = get_authentication_records(request, user)
        proofs = [record for record in records if record.get("reauthenticated") or record["method"] == "code"]
    return any(at.timestamp() - proof["at"] < app_settings.REAUTHENTICATION_TIMEOUT for proof in proofs)


def wants_code(user: User) -> bool:
    """Whether they set up a first one only with a code that they were given: the password may be stolen already."""
    return bool(settings.CONSOLE_SECOND_STEP) and user.is_staff and not has_one(user)


def asks_code(request: HttpRequest, user: User, *, at: datetime) -> bool:
    """Whether it has still to be typed: who has just chosen their password by one here has shown it."""
    return wants_code(user) and not enrolment.was_shown(request.session, user, at=at)


@contextmanager
def held_fresh(request: HttpRequest, user: User, *, at: datetime, code: str = "") -> Iterator[None]:
    """Around a change of it: no other session changes any meanwhile, and whoever was fresh a moment ago still is.

    Else whoever only knows a password, asked in the moment in which the first of it is added, would have it in hand.

    Raises:
        NotFreshError: it was changed at this very moment, or they have not; they show again who they are.
        EnrolmentCodeOver: they are a colleague who needs a code for it, and this is none.
    """
    with transaction.atomic():
        User.objects.locked(user.pk)
        if not fresh_in(request, user, at=at):
            raise NotFreshError
        if asks_code(request, user, at=at):
            enrolment.use_code(user.pk, code, by=Actor.staff(user.pk), at=at)
        yield
    enrolment.forget_shown(request.session)


def _held_since(user: User) -> dict[int, datetime]:
    """The apps and passkeys they have, and since when."""
    rows = Authenticator.objects.filter(user_id=user.pk, type__in=[_TOTP, _PASSKEY])
    return dict(rows.values_list("pk", "created_at"))


def _shown(request: HttpRequest, user: User, held: Mapping[int, datetime]) -> list[dict[str, Any]]:
    """What was shown here of it and still counts: what is gone does not, nor what was shown before any was held."""
    if not held:
        return []
    since = min(held.values()).timestamp()
    records = [record for record in get_authentication_records(request, user) if record["method"] == "mfa"]
    return [record for record in records if record["at"] >= since and _is_held(record, held)]


def _is_held(record: Mapping[str, Any], held: Mapping[int, datetime]) -> bool:
    """Codes for emergencies are renewed, and stand for whatever they open."""
    return record.get("type") == _CODES or "id" not in record or record["id"] in held


def waiting_secret(request: HttpRequest) -> str:
    """The secret that becomes theirs once a code of it comes back; the same one until then."""
    if _WAITING not in request.session:
        request.session[_WAITING] = generate_totp_secret()
    return str(request.session[_WAITING])


def drawn(user: User, secret: str) -> str:
    """The QR code an app reads it from, as an image's address."""
    adapter = Adapter()
    svg = adapter.build_totp_svg(adapter.build_totp_url(user, secret))
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def app_answers(
    request: HttpRequest, user: User, code: str, *, enrolment_code: str = "", by: Actor, at: datetime
) -> Sequence[str] | None:
    """The app showed the right code: from now on it is asked for. The codes for emergencies; None if it was wrong.

    Raises:
        NotFreshError, EnrolmentCodeOver: as held_fresh says.
    """
    secret = waiting_secret(request)
    if not validate_totp_code(secret, "".join(code.split())):
        return None
    with held_fresh(request, user, at=at, code=enrolment_code):
        codes = take_app(user.id, secret, by=by, at=at)
    del request.session[_WAITING]
    record_authentication(request, user, method="mfa", type="totp", reauthenticated=True)
    return codes


@transaction.atomic
def take_app(user_id: UUID, secret: str, *, by: Actor, at: datetime) -> Sequence[str]:
    """This app's digits count from now on, and those of one before it no more; so do new codes for emergencies."""
    user = User.objects.locked(user_id)
    Authenticator.objects.filter(user=user, type__in=[_TOTP, _CODES]).delete()
    TOTP.activate(user, secret)
    _tell(user, "app_added", by=by, at=at)
    return list(RecoveryCodes.activate(user).get_unused_codes())


@transaction.atomic
def take_passkey(user_id: UUID, name: str, credential: Mapping[str, Any], *, by: Actor, at: datetime) -> Sequence[str]:
    """A passkey whose answer was judged is theirs. The codes for emergencies, if there were none before it.

    Raises:
        TooManyPasskeys: nobody needs more.
    """
    user = User.objects.locked(user_id)
    held = of(user)
    if len(held.passkeys) >= PASSKEYS_MAX:
        raise TooManyPasskeys
    WebAuthn.add(user, " ".join(name.split())[:NAME_MAX], dict(credential))
    _tell(user, "passkey_added", by=by, at=at)
    return [] if held.codes_left else list(RecoveryCodes.activate(user).get_unused_codes())


@transaction.atomic
def renew_codes(user_id: UUID, *, by: Actor, at: datetime) -> Sequence[str]:
    """Other codes for emergencies; those before them are worth nothing.

    Raises:
        NotFound: there is nothing they could stand in for.
    """
    user = User.objects.locked(user_id)
    if not has_one(user):
        raise NotFound
    Authenticator.objects.filter(user=user, type=_CODES).delete()
    _tell(user, "codes_renewed", by=by, at=at)
    return list(RecoveryCodes.activate(user).get_unused_codes())


@transaction.atomic
def remove(user_id: UUID, key: int, *, by: Actor, at: datetime) -> None:
    """An app or passkey counts no more. Without the last of them the codes are worth nothing either.

    Raises:
        NotFound: it is not one of theirs.
    """
    user = User.objects.locked(user_id)
    row = Authenticator.objects.filter(user=user, pk=key, type__in=[_TOTP, _PASSKEY]).first()
    if row is None:
        raise NotFound
    kind = "app_removed" if row.type == _TOTP else "passkey_removed"
    row.delete()
    if not has_one(user):
        Authenticator.objects.filter(user=user).delete()
    _tell(user, kind, by=by, at=at)


@transaction.atomic
def remove_all(user_id: UUID, *, by: Actor, at: datetime, **data: object) -> None:
    """Somebody has lost all of it and has proved to our staff who they are: the next sign-in asks for none.

    Raises:
        NotFound: there is no such user, or none of it.
    """
    user = User.objects.locked(user_id)
    gone, _by_table = Authenticator.objects.filter(user=user).delete()
    if not gone:
        raise NotFound
    _tell(user, "all_removed", by=by, at=at, **data)


def _tell(user: User, kind: str, *, by: Actor, at: datetime, **data: object) -> None:
    person = Person.objects.select_related("realm", "user").filter(user=user).first()
    if person is not None:
        reach.tell(person, "second_factor", reach.DONE[kind], by=by, at=at, done=kind, **data)
        return
    about = {"done": kind, **data}
    reach.tell_staff(AccountEvent.objects.create(user=user, kind="second_factor", by=str(by), at=at, data=about))
