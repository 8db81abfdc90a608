"""/sandbox/sign-in/…: a developer's browser becomes that of a made-up person."""

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import login as open_session
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import sandbox_links
from accounts.refusals import LinkOver
from accounts.visitor import way_back
from kernel.clock import live_now


@sensitive_variables("token")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def sign_in(request: HttpRequest, token: str) -> HttpResponse:
    """Looking asks who is meant, so that no preview of the link uses it up; the button signs in."""
    try:
        if request.method != "POST":
            person = sandbox_links.person_of(token, real=live_now())
            return render(request, "accounts/sandbox_sign_in.html", {"person": person})
        user = sandbox_links.use_link(token, real=live_now())
    except LinkOver as over:
        return render(request, "accounts/sandbox_sign_in.html", {"over": over}, status=over.status)
    open_session(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    UserSession.objects.create_from_request(request)
    return redirect(way_back(request, request.GET.get("next"), otherwise="mine"))
