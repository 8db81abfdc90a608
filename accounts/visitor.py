"""The person before a page: who they are, what time it is for them, and how a refusal reads to them."""

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

from accounts import inbox
from accounts.models import Person, User
from kernel import ids
from kernel.actor import Actor
from kernel.clock import now_in
from kernel.forms import free_if_broken_off, sent_first
from kernel.prepared import Reading
from kernel.refusal import NotFound, Refusal

_P = ParamSpec("_P")
#: The person who signs in as a user.
OF_USER = Reading(lambda key: Person.objects.select_related("realm", "user").filter(user_id=key), ["uuid"])


@dataclass(frozen=True, slots=True)
class Visitor:
    """One person's request for one of their own pages, at one moment of their realm's time."""

    request: HttpRequest
    person: Person
    at: datetime

    @property
    def actor(self) -> Actor:
        return Actor.person(self.person.id)

    @property
    def user(self) -> User:
        """Who signed in: nobody without a user gets as far as a page."""
        if self.person.user is None:
            raise NotFound
        return self.person.user

    @property
    def language(self) -> str:
        """In which language they are told things."""
        return self.user.language

    @property
    def sandbox(self) -> bool:
        return self.person.realm.mode == "test"

    @property
    def unread(self) -> int:
        """How many notices were never shown to them, up to `inbox.UNREAD_MAX`."""
        return inbox.unread_by(self.person.id)

    def named(self, prefix: str, text: str) -> UUID:
        """The key behind a public id.

        Raises:
            NotFound: it is not one of ours, which looks the same as missing.
        """
        key = ids.parse(prefix, text)
        if key is None:
            raise NotFound
        return key

    def sent(self, name: str) -> str:
        """A field of the form that was sent."""
        return str(self.request.POST.get(name, ""))

    def sends_first(self, route: str) -> bool:
        """Whether this form is sent for the first time; where it was sent before, the next page says so.

        Raises:
            Invalid: no form of ours sent this.
        """
        return sent_first(self.request, self.person.id, self.sent("token"), route)

    def sends_again(self) -> AbstractContextManager[None]:
        """Around what the form does: where the database breaks it off, it may be sent once more."""
        return free_if_broken_off(self.person.id, self.sent("token"))

    def show(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        return render(self.request, template, {"visitor": self, **context}, status=status)


def way_back(request: HttpRequest, target: str | None, *, otherwise: str) -> str:
    """The address somebody came from, if it is one of ours; or else the page of this name."""
    here = target and url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if target and here else reverse(otherwise)


def for_person(view: Callable[Concatenate[Visitor, _P], HttpResponse]) -> Callable[..., HttpResponse]:
    """A page of a person's own: who is not signed in signs in first, and what is refused is said, not thrown."""

    @never_cache
    @wraps(view)
    def page(request: HttpRequest, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return _signs_in_first(request)
        found = OF_USER.rows(request.user.pk)
        if not found:
            raise PermissionDenied  # a colleague has no orders of their own
        person = found[0]
        visitor = Visitor(request, person, now_in(person.realm))
        with timezone.override(person.zone):
            try:
                return view(visitor, *args, **kwargs)
            except NotFound:
                raise Http404 from None
            except Refusal as refusal:
                return visitor.show("errors/refused.html", status=refusal.status, refusal=refusal)

    return page


def _signs_in_first(request: HttpRequest) -> HttpResponse:
    """To the sign-in page, and back. Whoever asked for a part of a page comes back to the page, not to its part."""
    if request.headers.get("HX-Request") != "true":
        return redirect_to_login(request.get_full_path())
    there = _path_here(request, request.headers.get("HX-Current-URL", "")) or request.path
    to_sign_in: HttpResponse = HttpResponseClientRedirect(redirect_to_login(there).url)
    return to_sign_in


def _path_here(request: HttpRequest, url: str) -> str:
    """The path of an address that a browser says it is at; empty if it is none, or not one of ours."""
    try:
        page = urlsplit(url)
    except ValueError:
        return ""
    return page._replace(scheme="", netloc="").geturl() if page.netloc == request.get_host() else ""
