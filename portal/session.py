"""How somebody of a merchant's staff is let in, once it is known who they are."""

from allauth.account.internal.flows.login import record_authentication
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import login as open_session
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest

from accounts.models import User

#: Who has shown a password and is asked for the second step.
PENDING = "portal_pending"


def enter(request: HttpRequest, user: User) -> None:
    """They are in, and have shown just now who they are: for a few minutes nothing asks it again."""
    open_session(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.pop(PENDING, None)
    record_authentication(request, user, method="password", username=user.username, reauthenticated=True)
    UserSession.objects.create_from_request(request)


def stay_in(request: HttpRequest, user: User) -> None:
    """Another password ended every session of theirs but this one, which has another key and so another line.

    What was shown here of a second factor stands in it as before.
    """
    update_session_auth_hash(request, user)
    record_authentication(request, user, method="password", username=user.username)
    UserSession.objects.create_from_request(request)
