"""The second factor of whoever works for a merchant: six digits from an app, and codes for when the phone is lost."""

import base64
from collections.abc import Sequence

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, validate_totp_code
from django.db import transaction
from django.http import HttpRequest

from accounts.models import User
from kernel import sealed

_PLACE = "mfa_authenticator.data"
_TOTP, _CODES = Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES
#: Where a secret waits in the session, which is sealed, until its first code was shown.
_WAITING = "portal_totp"


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is not typed
    """Named by MFA_ADAPTER: secrets at rest are sealed, as all that could let somebody in."""

    def encrypt(self, text: str) -> str:
        return base64.b64encode(sealed.seal(text, place=_PLACE)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return sealed.unseal(base64.b64decode(encrypted_text), place=_PLACE)


def has_one(user: User) -> bool:
    return bool(Authenticator.objects.filter(user=user, type=_TOTP).exists())


def shown_in(request: HttpRequest, user: User) -> bool:
    """Whether whoever is signed in here has shown it in this session."""
    return any(record["method"] == "mfa" for record in get_authentication_records(request, user))


def fresh_in(request: HttpRequest) -> bool:
    """Whether they have just shown again who they are."""
    return bool(did_recently_reauthenticate(request))


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


def take(request: HttpRequest, user: User, code: str) -> Sequence[str] | None:
    """The app showed the right code: from now on it is asked for. The codes for emergencies; None if it was wrong."""
    secret = waiting_secret(request)
    if not validate_totp_code(secret, code.replace(" ", "")):
        return None
    with transaction.atomic():
        Authenticator.objects.filter(user=user).delete()
        TOTP.activate(user, secret)
        codes = RecoveryCodes.activate(user).get_unused_codes()
    del request.session[_WAITING]
    record_authentication(request, user, method="mfa", type="totp", reauthenticated=True)
    return list(codes)


def renewed_codes(user: User) -> Sequence[str]:
    """Other codes for emergencies; those before them are worth nothing."""
    with transaction.atomic():
        Authenticator.objects.filter(user=user, type=_CODES).delete()
        return list(RecoveryCodes.activate(user).get_unused_codes())


def codes_left(user: User) -> int:
    row = Authenticator.objects.filter(user=user, type=_CODES).first()
    return len(row.wrap().get_unused_codes()) if row else 0
