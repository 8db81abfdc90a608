"""/v1/sandbox/people/{id}/sign_in: sign a browser in as a test user."""

from typing import Annotated, ClassVar, Literal

from django.conf import settings
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from billing.services.sandbox_sign_in import create_sign_in_link
from kernel.clock import live_now
from kernel.openapi import operation
from kernel.refusal import FieldError, Invalid
from kernel.wire import Moment, Wire
from merchants.access import InsufficientScope, MerchantView, SandboxKeyRequired, json_response
from merchants.rules import Scope


class WhereTo(Wire):
    """Where the browser comes out: a `sign_url`, a `confirm_url` or another page of ours; by default the first page."""

    to: Annotated[str, Meta(max_length=500)] = ""


class SignInOut(Wire):
    """Open `url` in a browser: it signs in as the person, once, until `expires_at` (in real time)."""

    object: Literal["sign_in"]
    livemode: bool
    url: str
    expires_at: Moment


class SignInAsPerson(MerchantView):
    """/v1/sandbox/people/{id}/sign_in"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "sandbox_sign_in",
        "Create a link that signs a browser in as a test user; works once, for five minutes",
        request=WhereTo,
        response=SignInOut,
        status=201,
        refusals=[InsufficientScope, SandboxKeyRequired],
        idempotent=True,
        examples=[("To an agreement's page", {"to": "/sign/agr_…"}), ("To their first page", {})],
    )
    def post(self, request: Request, person: str) -> HttpResponse:
        to, key = _page_path(WhereTo.parse(request).to), self.parse_id("per", person)
        realm_id = self.caller.merchant.realm_id
        link = create_sign_in_link(realm_id, key, to=to, by=self.actor, at=self.now(), real=live_now())
        made = SignInOut(object="sign_in", livemode=False, url=link.url, expires_at=link.expires_at)
        return json_response(made, status=201)


def _page_path(to: str) -> str:
    """The path of a page of this platform, given as a URL or as a path.

    Raises:
        Invalid: it is not one.
    """
    path = to.removeprefix(settings.BASE_URL)
    if path and (not path.startswith("/") or path.startswith(("//", "/\\"))):
        raise Invalid(errors=[FieldError("/to", "not a page of this platform")])
    return path
