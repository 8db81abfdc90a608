"""/settings/: how the person is known and reached, in which language, and where they are signed in."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts import devices, second_factor
from accounts.visitor import Visitor, for_person
from kernel import clock


@require_safe
@for_person
def settings(visitor: Visitor) -> HttpResponse:
    """How the person is known and reached, in which language, and where they are signed in."""
    shown = devices.devices_of(visitor.user.id, session_key=_session(visitor), at=clock.live_now())
    return visitor.show(
        "accounts/settings.html",
        devices=shown,
        others=sum(not device.here for device in shown),
        held=second_factor.of(visitor.user),
    )


@require_POST
@for_person
def sign_out_device(visitor: Visitor, device: int) -> HttpResponse:
    """One browser, perhaps of a lost phone, is signed out."""
    moment = clock.live_now()
    devices.sign_out_device(visitor.user.id, device, session_key=_session(visitor), by=visitor.actor, at=moment)
    messages.success(visitor.request, _("That device was signed out."))
    return redirect("settings")


@require_POST
@for_person
def sign_out_others(visitor: Visitor) -> HttpResponse:
    """Every browser but this one is signed out. A second click finds none and says so."""
    moment = clock.live_now()
    ended = devices.sign_out_others(visitor.user.id, session_key=_session(visitor), by=visitor.actor, at=moment)
    said = ngettext("Signed out of %(ended)d other device.", "Signed out of %(ended)d other devices.", ended)
    messages.success(visitor.request, said % {"ended": ended})
    return redirect("settings")


def _session(visitor: Visitor) -> str | None:
    key: str | None = visitor.request.session.session_key
    return key
