"""/v1/sandbox/people/{id}/sign_in: the pages, seen as a scripted person sees them."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from django.conf import settings
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from billing.services.sandbox_door import make_link
from kernel.clock import live_now
from kernel.contract import operation
from kernel.refusal import FieldError, Invalid
from kernel.wire import Wire
from merchants.access import MerchantView, NotAllowed, WrongMode, answer
from merchants.rules import Scope


class WhereTo(Wire):
    """Where the browser comes out: a `sign_url`, a `confirm_url` or another page of ours; by default the first page."""

    to: Annotated[str, Meta(max_length=500)] = ""


class SignInOut(Wire):
    """Open `url` in a browser: it signs in as the person, once, until `expires_at` (in real time)."""

    object: Literal["sign_in"]
    livemode: bool
    url: str
    expires_at: datetime


class SignInAsPerson(MerchantView):
    """/v1/sandbox/people/{id}/sign_in"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "sandbox_sign_in",
        "Create a link that signs a browser in as a test user; works once, for five minutes",
        takes=WhereTo,
        gives=SignInOut,
        status=201,
        refuses=[NotAllowed, WrongMode],
        writes=True,
        examples=[("To an agreement's page", {"to": "/sign/agr_…"}), ("To their first page", {})],
    )
    def post(self, request: Request, person: str) -> HttpResponse:
        to, key = _page(WhereTo.parse(request).to), self.named("per", person)
        realm_id = self.caller.merchant.realm_id
        link = make_link(realm_id, key, to=to, by=self.actor, at=self.now(), real=live_now())
        made = SignInOut(object="sign_in", livemode=False, url=link.url, expires_at=link.expires_at)
        return answer(made, status=201)


def _page(to: str) -> str:
    """A page of ours, by its whole address or without its host."""
    path = to.removeprefix(settings.BASE_URL)
    if path and (not path.startswith("/") or path.startswith(("//", "/\\"))):
        raise Invalid(errors=[FieldError("/to", "not a page of this platform")])
    return path
