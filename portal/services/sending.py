"""An invitation on its way, when all is written down; and the mail that shows whose address a newcomer's is.

A link that was mailed says which address it was mailed to, sealed with our key: whoever opens it reads mail there. One
that was texted, or read from a screen, says nothing, and its holder is mailed another first.
"""

from urllib.parse import urlencode

import structlog
from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import notices, texts
from accounts import rules as numbers
from portal.models import Invitation

#: The part of a mailed link that says so.
PROOF = "mailed"
_SALT = "portal.invitation"
log = structlog.get_logger(__name__)


def send_invitation(made: Invitation, business: str, token: str, *, phone: str = "", language: str) -> bool:
    """Whether it went out; if not, another is to be made. A text counts as one to a stranger, whosever number it is."""
    number = numbers.phone_in_e164(phone) if phone else None
    if number and not texts.room_for_a_stranger():
        return False
    try:
        if made.email:
            _mail(made, business, token, made.email, language)
        if number:
            notices.send_text(number, _words(business, _link(token), language)[1])
    except Exception:
        log.exception("invitation_not_sent", invitation=made.public_id)
        return False
    return True


def send_confirmation(made: Invitation, business: str, token: str, address: str, *, language: str) -> bool:
    """The same link by mail to where a newcomer says that they read it. Whether it went out."""
    try:
        _mail(made, business, token, address, language)
    except Exception:
        log.exception("invitation_not_sent", invitation=made.public_id)
        return False
    return True


def confirmed_address(made: Invitation, proof: str) -> str:
    """Which address this invitation's link was mailed to; empty if that cannot be seen from it."""
    try:
        invitation, address = signing.loads(proof, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(address) if invitation == made.public_id and made.email in ("", address) else ""


def _mail(made: Invitation, business: str, token: str, address: str, language: str) -> None:
    proof = signing.dumps([made.public_id, address], salt=_SALT)
    subject, body = _words(business, f"{_link(token)}?{urlencode({PROOF: proof})}", language)
    notices.send_mail(address, subject, body)


def _link(token: str) -> str:
    return settings.BASE_URL + reverse("merchant_invitation", args=[token])


def _words(business: str, link: str, language: str) -> tuple[str, str]:
    shop = {"name": business, "url": link}
    with translation.override(language):
        subject = _("You are invited to %(name)s") % shop
        body = _(
            "You are invited to the merchant console of %(name)s. This link works once and expires in seven days:"
            " %(url)s"
        )
        return subject, body % shop
