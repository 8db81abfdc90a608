"""Require a recent sign-in before something irreversible or sensitive."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts import second_factor
from accounts.visitor import Visitor
from kernel.clock import live_now


def require_reauthentication(visitor: Visitor, back: str) -> HttpResponse | None:
    """A redirect to sign in again and come back; None if the person just did."""
    if second_factor.is_recently_verified(visitor.request, visitor.user, at=live_now()):
        return None
    return redirect(f"{reverse('confirm')}?{urlencode({'next': back})}")
