"""/sandbox/sign-in/…: sign a developer's browser in as a sandbox person."""

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import login as open_session
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import sandbox_links
from accounts.refusals import SandboxLinkExpired
from accounts.visitor import safe_redirect_url
from kernel.clock import live_now


@sensitive_variables("token")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def sign_in(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows the person, so that link previews do not use the link up; POST signs in."""
    try:
        if request.method != "POST":
            person = sandbox_links.person_of(token, now=live_now())
            return render(request, "accounts/sandbox_sign_in.html", {"person": person})
        user = sandbox_links.use_link(token, now=live_now())
    except SandboxLinkExpired as over:
        return render(request, "accounts/sandbox_sign_in.html", {"over": over}, status=over.status)
    open_session(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    UserSession.objects.create_from_request(request)
    return redirect(safe_redirect_url(request, request.GET.get("next"), fallback="mine"))
