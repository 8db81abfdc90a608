"""Before something that cannot be undone: a screen that was left open is not enough."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts import second_factor
from accounts.visitor import Visitor
from kernel.clock import live_now


def shows_first(visitor: Visitor, back: str) -> HttpResponse | None:
    """Where somebody shows once more who they are before they come back; None if they just did."""
    if second_factor.fresh_in(visitor.request, visitor.user, at=live_now()):
        return None
    return redirect(f"{reverse('confirm')}?{urlencode({'next': back})}")
