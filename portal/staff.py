"""Requests of merchant staff: the `Staff` request context and the decorator that loads it and checks permissions."""

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
from kernel.forms import claim_submission, new_form_token
from kernel.refusal import NotFound, Refusal
from merchants.models import Merchant
from portal import queries
from portal.models import Member
from portal.queries import Business
from portal.rules import PAGES, PageAccess

_P = ParamSpec("_P")
StrOrPromise = str | Promise
#: Session key of the merchant (and so the mode) that was viewed last.
LAST_MERCHANT_KEY = "portal_last"


@dataclass(frozen=True, slots=True)
class Staff:
    """A member's request for a page; `at` is the merchant's time (a sandbox has its own clock), `real` real time."""

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
    def is_live(self) -> bool:
        return self.mode == "live"

    @property
    def actor(self) -> Actor:
        return Actor.member(self.member.user_id)

    @property
    def is_post(self) -> bool:
        return self.request.method == "POST"

    @property
    def form_data(self) -> Any:
        """The submitted form data; None on GET."""
        return self.request.POST if self.is_post else None

    @property
    def permissions(self) -> dict[str, bool]:
        """By page name: whether this member may open the page, or submit it if it is a form."""
        return {
            name: self.member.role
            in (access.open_roles(self.mode) if not access.submit_roles(self.mode) else access.submit_roles(self.mode))
            and not (access.sandbox_only and self.is_live)
            for name, access in PAGES.items()
        }

    def parse_id(self, prefix: str, text: str) -> UUID:
        """The key of a public id.

        Raises:
            NotFound: the id is malformed or has another prefix.
        """
        key = ids.parse(prefix, text)
        if key is None:
            raise NotFound
        return key

    def url(self, page: str, *args: str) -> str:
        return reverse(f"merchant_{page}", args=[self.merchant.public_id, *args])

    def redirect_to(self, page: str, *args: str) -> HttpResponse:
        return redirect(self.url(page, *args))

    def claim_submission(self) -> bool:
        """Whether this form is submitted for the first time; a repeat is a no-op with a message."""
        token = str(self.request.POST.get("token", ""))
        return claim_submission(self.request, self.member.user_id, token, f"portal {self.page}")

    def add_message(self, message: StrOrPromise) -> None:
        """Show a success message on the next page."""
        messages.success(self.request, str(message))

    def add_warning(self, message: StrOrPromise) -> None:
        messages.warning(self.request, str(message))

    def render(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        frame = {
            "staff": self,
            "permissions": self.permissions,
            "token": new_form_token(),
            "zone": settings.CONSOLE_ZONE,
        }
        return render(self.request, template, {**frame, **context}, status=status)


def merchant_page(name: str) -> Callable[..., Callable[..., HttpResponseBase]]:
    """Decorator of a page under /merchant/<merchant>/ with the access in `rules.PAGES`. Non-members get a 404."""
    access = PAGES[name]

    def decorator(view: Callable[Concatenate[Staff, _P], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @never_cache
        @wraps(view)
        def wrapper(request: HttpRequest, merchant: str, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponseBase:
            if not isinstance(request.user, User):
                return redirect(f"{reverse('merchant_sign_in')}?{urlencode({'next': request.get_full_path()})}")
            staff = _load_staff(request, request.user, merchant, name)
            with timezone.override(settings.CONSOLE_ZONE):
                return _access_response(staff, access) or _call_view(staff, lambda: view(staff, *args, **kwargs))

        wrapper.page = name  # type: ignore[attr-defined]
        return wrapper

    return decorator


def _load_staff(request: HttpRequest, user: User, merchant: str, name: str) -> Staff:
    key = ids.parse(Merchant.prefix, merchant)
    business = queries.business_of(key) if key else None
    member = queries.member_of(user.id, business.live.id) if business else None
    if business is None or member is None or (PAGES[name].sandbox_only and business.merchant.mode == "live"):
        raise Http404
    if request.session.get(LAST_MERCHANT_KEY) != merchant:
        request.session[LAST_MERCHANT_KEY] = merchant
    real = live_now()
    return Staff(request, member, business, name, business.merchant.realm.now(real), real)


def _access_response(staff: Staff, access: PageAccess) -> HttpResponseBase | None:
    """The response that denies access or asks for stronger authentication; None if the page may be shown."""
    request, user = staff.request, staff.member.user
    submits = staff.is_post or access.open_roles(staff.mode) == access.submit_roles(staff.mode)
    if staff.member.role not in (access.submit_roles(staff.mode) if staff.is_post else access.open_roles(staff.mode)):
        return staff.render("portal/forbidden.html", status=403)
    back = urlencode({"next": request.get_full_path() if not staff.is_post else staff.url("home")})
    if (
        submits
        and (staff.is_live or access.always_second_factor)
        and not second_factor.is_verified_in_session(request, user)
    ):
        if second_factor.has_second_factor(user):
            return redirect(f"{reverse('merchant_confirm')}?{back}")
        staff.add_warning(
            _("This requires two-factor authentication. Set it up once; every sign-in will then ask for it.")
        )
        return redirect(f"{reverse('merchant_second_factor')}?{back}")
    if access.fresh_auth and not second_factor.is_recently_verified(request, user, at=staff.real):
        return redirect(f"{reverse('merchant_confirm')}?{urlencode({'next': request.get_full_path()})}")
    return None


def _call_view(staff: Staff, view: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    try:
        return view()
    except NotFound:
        raise Http404 from None
    except Refusal as refusal:
        return staff.render("portal/refused.html", status=refusal.status, refusal=refusal)
