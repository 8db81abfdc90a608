"""Somebody of a merchant's staff before a page of theirs: who they are there, in which mode, and what they may."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts import second_factor
from accounts.models import User
from kernel import ids
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.forms import new_token, sent_first
from kernel.refusal import NotFound, Refusal
from merchants.models import Merchant
from portal import queries
from portal.models import Member
from portal.queries import Business
from portal.rules import PAGES, Access

_P = ParamSpec("_P")
Words = str | Promise
#: Where the mode that was looked at last is remembered.
LAST = "portal_last"


@dataclass(frozen=True, slots=True)
class Staff:
    """One request of one member for one page, at one moment of the time it is in this mode."""

    request: HttpRequest
    member: Member
    business: Business
    page: str
    at: datetime
    real: datetime

    @property
    def merchant(self) -> Merchant:
        return self.business.merchant

    @property
    def mode(self) -> str:
        return self.merchant.mode

    @property
    def live(self) -> bool:
        return self.mode == "live"

    @property
    def actor(self) -> Actor:
        return Actor.member(self.member.user_id)

    @property
    def posts(self) -> bool:
        return self.request.method == "POST"

    @property
    def given(self) -> Any:
        """What a form was sent with, or nothing while it is only looked at."""
        return self.request.POST if self.posts else None

    @property
    def may(self) -> dict[str, bool]:
        """Which pages this member may open, and of those with a form which they may send."""
        return {
            name: self.member.role
            in (access.opens(self.mode) if not access.acts(self.mode) else access.acts(self.mode))
            and not (access.sandbox and self.live)
            for name, access in PAGES.items()
        }

    def named(self, prefix: str, text: str) -> UUID:
        """The key behind a public id.

        Raises:
            NotFound: it is not one of ours, which looks the same as missing.
        """
        key = ids.parse(prefix, text)
        if key is None:
            raise NotFound
        return key

    def url(self, page: str, *args: str) -> str:
        return reverse(f"merchant_{page}", args=[self.merchant.public_id, *args])

    def to(self, page: str, *args: str) -> HttpResponse:
        return redirect(self.url(page, *args))

    def sends_first(self) -> bool:
        """Whether this form is sent for the first time; where it was sent before, the next page says so."""
        token = str(self.request.POST.get("token", ""))
        return sent_first(self.request, self.member.user_id, token, f"portal {self.page}")

    def tell(self, words: Words) -> None:
        """Say it on top of the next page."""
        messages.success(self.request, str(words))

    def warn(self, words: Words) -> None:
        messages.warning(self.request, str(words))

    def show(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        frame = {"staff": self, "may": self.may, "token": new_token(), "zone": settings.CONSOLE_ZONE}
        return render(self.request, template, {**frame, **context}, status=status)


def page(name: str) -> Callable[..., Callable[..., HttpResponseBase]]:
    """A page under /merchant/<merchant>/, for whom `rules.PAGES` says. Anybody else's is as if it were missing."""
    access = PAGES[name]

    def for_staff(view: Callable[Concatenate[Staff, _P], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @never_cache
        @wraps(view)
        def opened(request: HttpRequest, merchant: str, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponseBase:
            if not isinstance(request.user, User):
                return redirect(f"{reverse('merchant_sign_in')}?{urlencode({'next': request.get_full_path()})}")
            staff = _staff(request, request.user, merchant, name)
            with timezone.override(settings.CONSOLE_ZONE):
                return _stopped(staff, access) or _answer(staff, lambda: view(staff, *args, **kwargs))

        opened.page = name  # type: ignore[attr-defined]
        return opened

    return for_staff


def _staff(request: HttpRequest, user: User, merchant: str, name: str) -> Staff:
    key = ids.parse(Merchant.prefix, merchant)
    business = queries.business_of(key) if key else None
    member = queries.member_of(user.id, business.live.id) if business else None
    if business is None or member is None or (PAGES[name].sandbox and business.merchant.mode == "live"):
        raise Http404
    if request.session.get(LAST) != merchant:
        request.session[LAST] = merchant
    real = live_now()
    return Staff(request, member, business, name, business.merchant.realm.now(real), real)


def _stopped(staff: Staff, access: Access) -> HttpResponseBase | None:
    """Who may not, or must show more of themselves first, goes no further."""
    request, user = staff.request, staff.member.user
    sends = staff.posts or access.opens(staff.mode) == access.acts(staff.mode)
    if staff.member.role not in (access.acts(staff.mode) if staff.posts else access.opens(staff.mode)):
        return staff.show("portal/forbidden.html", status=403)
    back = urlencode({"next": request.get_full_path() if not staff.posts else staff.url("home")})
    if sends and (staff.live or access.grave) and not second_factor.shown_in(request, user):
        if second_factor.has_one(user):
            return redirect(f"{reverse('merchant_confirm')}?{back}")
        staff.warn(_("This requires two-factor authentication. Set it up once; every sign-in will then ask for it."))
        return redirect(f"{reverse('merchant_second_factor')}?{back}")
    if access.afresh and not second_factor.fresh_in(request, user, at=staff.real):
        return redirect(f"{reverse('merchant_confirm')}?{urlencode({'next': request.get_full_path()})}")
    return None


def _answer(staff: Staff, view: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    try:
        return view()
    except NotFound:
        raise Http404 from None
    except Refusal as refusal:
        return staff.show("portal/refused.html", status=refusal.status, refusal=refusal)
