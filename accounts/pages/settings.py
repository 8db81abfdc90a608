"""/settings/: overview of the person's account, and signing out other devices."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts import devices, second_factor
from accounts.visitor import Visitor, person_page
from kernel import clock


@require_safe
@person_page
def settings(visitor: Visitor) -> HttpResponse:
    """Overview: identity, contact data, second factors, and signed-in devices."""
    rows = devices.devices_of(visitor.user.id, session_key=_session_key(visitor), at=clock.live_now())
    return visitor.render(
        "accounts/settings.html",
        devices=rows,
        others=sum(not device.is_current for device in rows),
        factors=second_factor.factors_of(visitor.user),
    )


@require_POST
@person_page
def sign_out_device(visitor: Visitor, device: int) -> HttpResponse:
    """Sign out one other device."""
    now = clock.live_now()
    devices.sign_out_device(visitor.user.id, device, session_key=_session_key(visitor), by=visitor.actor, at=now)
    messages.success(visitor.request, _("That device was signed out."))
    return redirect("settings")


@require_POST
@person_page
def sign_out_others(visitor: Visitor) -> HttpResponse:
    """Sign out all other devices."""
    now = clock.live_now()
    ended = devices.sign_out_others(visitor.user.id, session_key=_session_key(visitor), by=visitor.actor, at=now)
    text = ngettext("Signed out of %(ended)d other device.", "Signed out of %(ended)d other devices.", ended)
    messages.success(visitor.request, text % {"ended": ended})
    return redirect("settings")


def _session_key(visitor: Visitor) -> str | None:
    key: str | None = visitor.request.session.session_key
    return key
