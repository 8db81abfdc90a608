"""Second factors: an authenticator app, passkeys, and recovery codes for when both are lost.

People have them beside the code to their phone, merchants' staff and colleagues beside their password. Recovery codes
exist only beside an app or a passkey, and are removed with the last of them.
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

from accounts import account_notices, enrolment
from accounts.models import AccountEvent, Person, User
from accounts.refusals import TooManyPasskeys
from kernel import encryption
from kernel.actor import Actor
from kernel.refusal import NotFound

PASSKEYS_MAX, NAME_MAX = 10, 40
_PLACE = "mfa_authenticator.data"
_TOTP, _CODES = Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES
_PASSKEY = Authenticator.Type.WEBAUTHN
#: The key of the new TOTP secret in the session, which is encrypted, until a code of it was verified.
_SESSION_KEY = "totp_waiting"


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is not typed
    """The setting MFA_ADAPTER. Stores secrets encrypted."""

    error_messages: ClassVar[dict[str, str | Promise]] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("The code is incorrect or has already been used."),
    }

    def encrypt(self, text: str) -> str:
        return base64.b64encode(encryption.seal(text, place=_PLACE)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.unseal(base64.b64decode(encrypted_text), place=_PLACE)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Passkeys always belong to the host of BASE_URL, whatever host a request names."""
        return {"id": urlsplit(settings.BASE_URL).hostname or "", "name": settings.MFA_TOTP_ISSUER}

    def _get_user_identifier(self, user: User) -> str:
        return str(user_display(user))


class ReauthenticationRequiredError(Exception):
    """The user was not verified recently with the factors they have now; pages redirect to verification."""


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """The second factors of a user."""

    app: Any = None
    passkeys: Sequence[Any] = field(default_factory=tuple)
    codes_left: int = 0

    @property
    def is_enabled(self) -> bool:
        return self.app is not None or bool(self.passkeys)


def factors_of(user: User) -> SecondFactors:
    """The second factors of a user, in one query."""
    rows = list(Authenticator.objects.filter(user_id=user.pk).order_by("pk"))
    codes = [row.wrap() for row in rows if row.type == _CODES]
    return SecondFactors(
        next((row for row in rows if row.type == _TOTP), None),
        [row for row in rows if row.type == _PASSKEY],
        len(codes[0].get_unused_codes()) if codes else 0,
    )


def has_second_factor(user: User) -> bool:
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=[_TOTP, _PASSKEY]).exists())


def is_verified_in_session(request: HttpRequest, user: User) -> bool:
    """Whether the user has verified in this session with a factor that they still have."""
    return bool(_session_records(request, user, _factors_with_dates(user)))


def is_recently_verified(request: HttpRequest, user: User, *, at: datetime) -> bool:
    """Whether the user was verified again just now: by a second factor, or without one by password or texted code."""
    factors = _factors_with_dates(user)
    if factors:
        verifications = [record for record in _session_records(request, user, factors) if record.get("reauthenticated")]
    else:
        records = get_authentication_records(request, user)
        verifications = [record for record in records if record.get("reauthenticated") or record["method"] == "code"]
    return any(
        at.timestamp() - verification["at"] < app_settings.REAUTHENTICATION_TIMEOUT for verification in verifications
    )


def needs_enrolment_code(user: User) -> bool:
    """Whether a first factor can be set up only with an enrolment code, as the password may be stolen already."""
    return bool(settings.CONSOLE_SECOND_STEP) and user.is_staff and not has_second_factor(user)


def must_enter_enrolment_code(request: HttpRequest, user: User, *, at: datetime) -> bool:
    """Whether an enrolment code must be entered now; not if one was just used in this session to set the password."""
    return needs_enrolment_code(user) and not enrolment.used_in_session(request.session, user, at=at)


@contextmanager
def verified_change(request: HttpRequest, user: User, *, at: datetime, code: str = "") -> Iterator[None]:
    """Lock the user around a change of factors, and check again that they were verified recently.

    Otherwise somebody with only the password could add a factor at the moment when the owner adds the first one.

    Raises:
        ReauthenticationRequiredError: they were not verified recently, or the factors changed since they were.
        InvalidEnrolmentCode: they are a colleague who needs a code for it, and this is none.
    """
    with transaction.atomic():
        User.objects.locked(user.pk)
        if not is_recently_verified(request, user, at=at):
            raise ReauthenticationRequiredError
        if must_enter_enrolment_code(request, user, at=at):
            enrolment.use_code(user.pk, code, by=Actor.staff(user.pk), at=at)
        yield
    enrolment.forget_used_code(request.session)


def _factors_with_dates(user: User) -> dict[int, datetime]:
    """The user's app and passkeys, with the dates on which they were added."""
    rows = Authenticator.objects.filter(user_id=user.pk, type__in=[_TOTP, _PASSKEY])
    return dict(rows.values_list("pk", "created_at"))


def _session_records(request: HttpRequest, user: User, factors: Mapping[int, datetime]) -> list[dict[str, Any]]:
    """The verifications in this session that still count: with current factors, and not older than the first one."""
    if not factors:
        return []
    since = min(factors.values()).timestamp()
    records = [record for record in get_authentication_records(request, user) if record["method"] == "mfa"]
    return [record for record in records if record["at"] >= since and _is_current_factor(record, factors)]


def _is_current_factor(record: Mapping[str, Any], factors: Mapping[int, datetime]) -> bool:
    """Whether the record is of a current factor. Recovery codes always count, as they are renewed."""
    return record.get("type") == _CODES or "id" not in record or record["id"] in factors


def pending_totp_secret(request: HttpRequest) -> str:
    """The new TOTP secret of this session; the same one until a code of it was verified."""
    if _SESSION_KEY not in request.session:
        request.session[_SESSION_KEY] = generate_totp_secret()
    return str(request.session[_SESSION_KEY])


def totp_qr_code(user: User, secret: str) -> str:
    """The QR code with the secret for an authenticator app, as a data URL."""
    adapter = MfaAdapter()
    svg = adapter.build_totp_svg(adapter.build_totp_url(user, secret))
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def confirm_app(
    request: HttpRequest, user: User, code: str, *, enrolment_code: str = "", by: Actor, at: datetime
) -> Sequence[str] | None:
    """Activate the app if the code is right. Returns the recovery codes, or None if the code is wrong.

    Raises:
        ReauthenticationRequiredError, InvalidEnrolmentCode: see `verified_change`.
    """
    secret = pending_totp_secret(request)
    if not validate_totp_code(secret, "".join(code.split())):
        return None
    with verified_change(request, user, at=at, code=enrolment_code):
        codes = activate_app(user.id, secret, by=by, at=at)
    del request.session[_SESSION_KEY]
    record_authentication(request, user, method="mfa", type="totp", reauthenticated=True)
    return codes


@transaction.atomic
def activate_app(user_id: UUID, secret: str, *, by: Actor, at: datetime) -> Sequence[str]:
    """Replace the user's authenticator app and recovery codes. Returns the new codes."""
    user = User.objects.locked(user_id)
    Authenticator.objects.filter(user=user, type__in=[_TOTP, _CODES]).delete()
    TOTP.activate(user, secret)
    _notify(user, "app_added", by=by, at=at)
    return list(RecoveryCodes.activate(user).get_unused_codes())


@transaction.atomic
def add_passkey(user_id: UUID, name: str, credential: Mapping[str, Any], *, by: Actor, at: datetime) -> Sequence[str]:
    """Add a verified passkey. Returns new recovery codes if the user had none.

    Raises:
        TooManyPasskeys: the user has the maximum number.
    """
    user = User.objects.locked(user_id)
    factors = factors_of(user)
    if len(factors.passkeys) >= PASSKEYS_MAX:
        raise TooManyPasskeys
    WebAuthn.add(user, " ".join(name.split())[:NAME_MAX], dict(credential))
    _notify(user, "passkey_added", by=by, at=at)
    return [] if factors.codes_left else list(RecoveryCodes.activate(user).get_unused_codes())


@transaction.atomic
def renew_recovery_codes(user_id: UUID, *, by: Actor, at: datetime) -> Sequence[str]:
    """Replace the recovery codes. Returns the new ones.

    Raises:
        NotFound: the user has neither an app nor a passkey.
    """
    user = User.objects.locked(user_id)
    if not has_second_factor(user):
        raise NotFound
    Authenticator.objects.filter(user=user, type=_CODES).delete()
    _notify(user, "codes_renewed", by=by, at=at)
    return list(RecoveryCodes.activate(user).get_unused_codes())


@transaction.atomic
def remove_factor(user_id: UUID, key: int, *, by: Actor, at: datetime) -> None:
    """Remove an app or passkey, and the recovery codes with the last of them.

    Raises:
        NotFound: it is not one of theirs.
    """
    user = User.objects.locked(user_id)
    row = Authenticator.objects.filter(user=user, pk=key, type__in=[_TOTP, _PASSKEY]).first()
    if row is None:
        raise NotFound
    kind = "app_removed" if row.type == _TOTP else "passkey_removed"
    row.delete()
    if not has_second_factor(user):
        Authenticator.objects.filter(user=user).delete()
    _notify(user, kind, by=by, at=at)


@transaction.atomic
def remove_all_factors(user_id: UUID, *, by: Actor, at: datetime, **data: object) -> None:
    """Remove all factors of a user who lost them and has proved their identity to our staff.

    Raises:
        NotFound: there is no such user, or they have no factors.
    """
    user = User.objects.locked(user_id)
    deleted, _by_table = Authenticator.objects.filter(user=user).delete()
    if not deleted:
        raise NotFound
    _notify(user, "all_removed", by=by, at=at, **data)


def _notify(user: User, kind: str, *, by: Actor, at: datetime, **data: object) -> None:
    person = Person.objects.select_related("realm", "user").filter(user=user).first()
    if person is not None:
        account_notices.notify_account_change(
            person, "second_factor", account_notices.CHANGE_PHRASES[kind], by=by, at=at, done=kind, **data
        )
        return
    about = {"done": kind, **data}
    account_notices.notify_staff(
        AccountEvent.objects.create(user=user, kind="second_factor", by=str(by), at=at, data=about)
    )
