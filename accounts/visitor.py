"""Pages of signed-in people: the decorator `person_page`, and the `Visitor` that it passes to views."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django_htmx.http import HttpResponseClientRedirect

from accounts import notices
from accounts.models import Person, User
from kernel import ids
from kernel.actor import Actor
from kernel.clock import now_in
from kernel.forms import claim_submission, release_on_database_error
from kernel.prepared_statements import PreparedQuery
from kernel.refusal import NotFound, Refusal

_P = ParamSpec("_P")
#: The person of a user.
PERSON_BY_USER = PreparedQuery(lambda key: Person.objects.select_related("realm", "user").filter(user_id=key), ["uuid"])


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person's request for one of their own pages, with the time in their realm."""

    request: HttpRequest
    person: Person
    at: datetime

    @property
    def actor(self) -> Actor:
        return Actor.person(self.person.id)

    @property
    def user(self) -> User:
        """The signed-in user; always present on a page."""
        if self.person.user is None:
            raise NotFound
        return self.person.user

    @property
    def language(self) -> str:
        """The language of their notices."""
        return self.user.language

    @property
    def is_sandbox(self) -> bool:
        return self.person.realm.mode == "test"

    @property
    def unread_count(self) -> int:
        """The number of unread notices, up to `notices.UNREAD_MAX`."""
        return notices.unread_count(self.person.id)

    def parse_id(self, prefix: str, text: str) -> UUID:
        """Parse a public id with this prefix.

        Raises:
            NotFound: it is malformed, which looks the same as missing.
        """
        key = ids.parse(prefix, text)
        if key is None:
            raise NotFound
        return key

    def posted(self, name: str) -> str:
        """A field of the submitted form."""
        return str(self.request.POST.get(name, ""))

    def claim_submission(self, route: str) -> bool:
        """Whether this form is submitted for the first time; if not, a message on the next page says so.

        Raises:
            Invalid: the form token is malformed.
        """
        return claim_submission(self.request, self.person.id, self.posted("token"), route)

    def allow_resubmission(self) -> AbstractContextManager[None]:
        """Wrap the form's action: if a database error aborts it, the form may be submitted again."""
        return release_on_database_error(self.person.id, self.posted("token"))

    def render(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        return render(self.request, template, {"visitor": self, **context}, status=status)


def safe_redirect_url(request: HttpRequest, target: str | None, *, fallback: str) -> str:
    """The URL to return to, if it is on this site; otherwise the URL of this name."""
    is_safe = target and url_has_allowed_host_and_scheme(
        target, {request.get_host()}, require_https=request.is_secure()
    )
    return target if target and is_safe else reverse(fallback)


def person_page(view: Callable[Concatenate[Visitor, _P], HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorate a view of a person's own page: requires sign-in, and renders refusals as pages."""

    @never_cache
    @wraps(view)
    def wrapped(request: HttpRequest, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return _redirect_to_sign_in(request)
        found = PERSON_BY_USER.rows(request.user.pk)
        if not found:
            raise PermissionDenied  # colleagues and merchants' staff are not people
        person = found[0]
        visitor = Visitor(request, person, now_in(person.realm))
        with timezone.override(person.zone):
            try:
                return view(visitor, *args, **kwargs)
            except NotFound:
                raise Http404 from None
            except Refusal as refusal:
                return visitor.render("errors/refused.html", status=refusal.status, refusal=refusal)

    return wrapped


def _redirect_to_sign_in(request: HttpRequest) -> HttpResponse:
    """Redirect to the sign-in page and back; requests by htmx come back to the whole page."""
    if request.headers.get("HX-Request") != "true":
        return redirect_to_login(request.get_full_path())
    back = _own_path(request, request.headers.get("HX-Current-URL", "")) or request.path
    response: HttpResponse = HttpResponseClientRedirect(redirect_to_login(back).url)
    return response


def _own_path(request: HttpRequest, url: str) -> str:
    """The path of a URL sent by the browser; empty if it is malformed or on another site."""
    try:
        page = urlsplit(url)
    except ValueError:
        return ""
    return page._replace(scheme="", netloc="").geturl() if page.netloc == request.get_host() else ""
