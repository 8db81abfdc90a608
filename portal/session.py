"""Sessions of merchant staff."""

from allauth.account.internal.flows.login import record_authentication
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import login as open_session
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest

from accounts.models import User

#: Session key of a sign-in that has passed the password step.
PENDING_KEY = "portal_pending"


def start_session(request: HttpRequest, user: User) -> None:
    """Sign the user in; the session counts as freshly authenticated for a few minutes."""
    open_session(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.pop(PENDING_KEY, None)
    record_authentication(request, user, method="password", username=user.username, reauthenticated=True)
    UserSession.objects.create_from_request(request)


def renew_session(request: HttpRequest, user: User) -> None:
    """Keep this session after a password change, which ends all others. The second factor stays verified.

    The session gets a new key, and so a new UserSession row.
    """
    update_session_auth_hash(request, user)
    record_authentication(request, user, method="password", username=user.username)
    UserSession.objects.create_from_request(request)
