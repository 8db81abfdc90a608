"""An invitation on its way, when all is written down."""

import structlog
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import notices
from accounts import rules as numbers
from portal.models import Invitation

log = structlog.get_logger(__name__)


def send_invitation(made: Invitation, business: str, link: str, *, phone: str = "", language: str) -> bool:
    """Whether it went out; if not, another is to be made, or the link handed over by whoever made it."""
    shop = {"name": business, "url": link}
    with translation.override(language):
        subject = _("You are invited to %(name)s") % shop
        body = _("You are invited to the merchant console of %(name)s. This link is good once, for seven days: %(url)s")
        body = body % shop
    try:
        if made.email:
            notices.send_mail(made.email, subject, body)
        if number := numbers.phone_in_e164(phone) if phone else None:
            notices.send_text(number, body)
    except Exception:
        log.exception("invitation_not_sent", invitation=made.public_id)
        return False
    return True
