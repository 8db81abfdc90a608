"""Sends invitations by email or text message, and verifies the email address of people without an account.

An emailed link carries the address it was sent to, signed with our key, which proves that whoever opens it reads that
mailbox. A link from a text message has no such proof, so its holder is emailed another link first.
"""

from urllib.parse import urlencode

import structlog
from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import messaging, sms_limits
from accounts import rules as numbers
from portal.models import Invitation

#: The query parameter of an emailed link with the signed address.
PROOF_PARAM = "mailed"
_SALT = "portal.invitation"
log = structlog.get_logger(__name__)


def send_invitation(invitation: Invitation, business: str, token: str, *, phone: str = "", language: str) -> bool:
    """Send an invitation. False if it could not be sent. A text counts against the limit for unknown recipients."""
    phone_number = numbers.parse_phone(phone) if phone else None
    if phone_number and not sms_limits.take_stranger_quota():
        return False
    try:
        if invitation.email:
            _send_email(invitation, business, token, invitation.email, language)
        if phone_number:
            messaging.send_text(phone_number, _compose(business, _link(token), language)[1])
    except Exception:
        log.exception("invitation_not_sent", invitation=invitation.public_id)
        return False
    return True


def send_confirmation(invitation: Invitation, business: str, token: str, address: str, *, language: str) -> bool:
    """Email the same link to the address the invitee entered, to verify it. False if it could not be sent."""
    try:
        _send_email(invitation, business, token, address, language)
    except Exception:
        log.exception("invitation_not_sent", invitation=invitation.public_id)
        return False
    return True


def verified_address(invitation: Invitation, proof: str) -> str:
    """The address this invitation's link was emailed to; "" without a valid proof."""
    try:
        invitation_id, address = signing.loads(proof, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(address) if invitation_id == invitation.public_id and invitation.email in ("", address) else ""


def _send_email(invitation: Invitation, business: str, token: str, address: str, language: str) -> None:
    proof = signing.dumps([invitation.public_id, address], salt=_SALT)
    subject, body = _compose(business, f"{_link(token)}?{urlencode({PROOF_PARAM: proof})}", language)
    messaging.send_mail(address, subject, body)


def _link(token: str) -> str:
    return settings.BASE_URL + reverse("merchant_invitation", args=[token])


def _compose(business: str, link: str, language: str) -> tuple[str, str]:
    shop = {"name": business, "url": link}
    with translation.override(language):
        subject = _("You are invited to %(name)s") % shop
        body = _(
            "You are invited to the merchant console of %(name)s. This link works once and expires in seven days:"
            " %(url)s"
        )
        return subject, body % shop
