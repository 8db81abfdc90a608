"""The URLs of the merchant API, and its OpenAPI description."""

from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from billing import callback_views
from billing.api import clock, disputes, people, refunds, returns, settlements, sign_in
from billing.api import collect as billing
from bnpl import guide
from credit.api import sandbox as signing
from credit.api import views as credit
from kernel.problems import problem_response
from kernel.refusal import NotFound
from merchants.api import events, webhooks
from merchants.api import services as merchants
from orders.api import sandbox as confirming
from orders.api import views as orders


class OpenApiView(APIView):
    """/v1/openapi.json"""

    renderer_classes = [OpenApiJsonRenderer]
    authentication_classes = ()
    permission_classes = ()

    def perform_content_negotiation(self, request: Request, force: bool = True) -> tuple[BaseRenderer, str]:  # noqa: FBT001, FBT002, ARG002  DRF's own signature
        """Ignore the Accept header: there is one representation."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(exclude=True)
    def get(self, _request: Request) -> HttpResponse:
        return HttpResponse(render_openapi(), content_type=OpenApiJsonRenderer.media_type)


@lru_cache(maxsize=1)
def render_openapi() -> bytes:
    """The OpenAPI document as JSON, generated once in each process: it takes as long as a hundred orders."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return bytes(OpenApiJsonRenderer().render(schema))


class ApiDocsView(SpectacularSwaggerSplitView):
    """/docs/api: Swagger UI, without external requests or inline styles."""

    template_name = "docs/swagger.html"

    authentication_classes = ()
    permission_classes = ()


@csrf_exempt
def unknown_path(request: HttpRequest, **_kwargs: str) -> HttpResponse:
    """The 404 problem for any other path under /v1."""
    slash = " No address of the API ends with a slash." if request.path.endswith("/") else ""
    return problem_response(NotFound(f"There is no such address.{slash}"), request)


V1_ROUTES: list[tuple[str, type]] = [
    ("services", merchants.Services),
    ("services/<str:service>", merchants.OneService),
    ("agreements", credit.Agreements),
    ("agreements/<str:agreement>", credit.OneAgreement),
    ("agreements/<str:agreement>/terminate", credit.TerminateAgreement),
    ("eligibility", credit.Eligibility),
    ("orders", orders.Orders),
    ("orders/<str:order>", orders.OneOrder),
    ("orders/<str:order>/complete", orders.CompleteOrder),
    ("orders/<str:order>/cancel", orders.CancelOrder),
    ("orders/<str:order>/modify", orders.ModifyOrder),
    ("orders/<str:order>/mark_paid", orders.MarkPaid),
    ("orders/<str:order>/collect", billing.CollectOrder),
    ("orders/<str:order>/refunds", refunds.OrderRefunds),
    ("orders/<str:order>/returns", returns.OrderReturns),
    ("orders/<str:order>/events", orders.OrderEvents),
    ("disputes", disputes.Disputes),
    ("disputes/<str:dispute>", disputes.OneDispute),
    ("disputes/<str:dispute>/evidence", disputes.DisputeEvidence),
    ("returns", returns.Returns),
    ("returns/<str:returned>", returns.OneReturn),
    ("returns/<str:returned>/confirm", returns.ConfirmReturn),
    ("returns/<str:returned>/refuse", returns.RefuseReturn),
    ("settlements", settlements.Settlements),
    ("settlements/<str:settlement>", settlements.OneSettlement),
    ("settlements/<str:settlement>/lines", settlements.SettlementLines),
    ("settlements/<str:settlement>/proof", settlements.ProofOfSettlement),
    ("events", events.Events),
    ("events/<str:event>", events.OneEvent),
    ("events/<str:event>/redeliver", events.RedeliverEvent),
    ("webhook_endpoints", webhooks.Endpoints),
    ("webhook_endpoints/<str:endpoint>", webhooks.OneEndpoint),
    ("webhook_endpoints/<str:endpoint>/rotate_secret", webhooks.RotateSecret),
    ("webhook_endpoints/<str:endpoint>/ping", webhooks.PingEndpoint),
    ("webhook_endpoints/<str:endpoint>/deliveries", webhooks.Deliveries),
    ("webhook_endpoints/<str:endpoint>/redeliver", webhooks.RedeliverFailed),
    ("sandbox/people", people.People),
    ("sandbox/people/<str:person>", people.OnePerson),
    ("sandbox/people/<str:person>/sign_in", sign_in.SignInAsPerson),
    ("sandbox/agreements/<str:agreement>/sign", signing.SignInSandbox),
    ("sandbox/agreements/<str:agreement>/stop", signing.StopInSandbox),
    ("sandbox/orders/<str:order>/confirm", confirming.ConfirmInSandbox),
    ("sandbox/orders/<str:order>/decline", confirming.DeclineInSandbox),
    ("sandbox/orders/<str:order>/pay", people.PayInSandbox),
    ("sandbox/orders/<str:order>/return", returns.ReturnInSandbox),
    ("sandbox/orders/<str:order>/take_back", people.TakeBackInSandbox),
    ("sandbox/clock", clock.Clock),
    ("sandbox/clock/advance", clock.AdvanceClock),
]

urlpatterns: list[URLPattern] = [
    *(path(f"v1/{address}", view.as_view()) for address, view in V1_ROUTES),  # type: ignore[attr-defined]
    path("v1/openapi.json", OpenApiView.as_view(), name="openapi"),
    path("docs/api", ApiDocsView.as_view(url_name="openapi"), name="docs_api"),
    path("docs/", guide.chapter, name="docs"),
    path("docs/<str:name>", guide.chapter, name="docs_chapter"),
    path("channels/<str:channel>/callback", callback_views.receive_callback),
    path("v1/<path:rest>", unknown_path),
    path("v1/", unknown_path),
    path("v1", unknown_path),
]
