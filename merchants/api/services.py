"""/v1/services"""

from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from django.http import HttpResponse
from msgspec import UNSET, Meta, UnsetType, to_builtins
from rest_framework.request import Request

from kernel.money import AMOUNT_MINOR_MAX
from kernel.openapi import operation
from kernel.paging import LIMIT_MAX, paginate
from kernel.wire import Moment, Wire
from merchants import queries, services
from merchants.access import InsufficientScope, MerchantView, json_response
from merchants.models import Service
from merchants.rules import Scope
from merchants.rules.late_terms import GRACE_HOURS_MAX

Amount = Annotated[int, Meta(ge=1, le=AMOUNT_MINOR_MAX, description="Minor units: 1234 is ¥12.34.")]
Bps = Annotated[int, Meta(ge=0, lt=10_000, description="Basis points.")]
Hours = Annotated[int, Meta(ge=0, le=GRACE_HOURS_MAX)]
Score = Annotated[int, Meta(ge=0, le=950)]
Name = Annotated[str, Meta(min_length=1, max_length=40)]
PolicyName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,19}$(?!\n)", description="The name of a retry policy.")]
Text = Annotated[str, Meta(max_length=200)]


class NewService(Wire):
    """What a merchant offers to use now and pay later."""

    name: Name
    mode: Literal["fixed", "dynamic"]
    ceiling: Amount
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")] = "CNY"
    description: Text = ""
    industry: Annotated[str, Meta(min_length=1, max_length=40)] = "general"
    confirmation: bool = False
    score_gate: Score = 0
    funding: Literal["on_collection", "advance"] = "on_collection"
    fee_bps: Bps = 60
    grace_hours: Hours | UnsetType = UNSET
    retry_policy: PolicyName = "standard"
    late_fee_daily_bps: Bps = 0
    late_fee_cap_bps: Bps = 0


class ServiceChange(Wire):
    """Other terms from now on; orders already open keep theirs."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    ceiling: Amount | UnsetType = UNSET
    confirmation: bool | UnsetType = UNSET
    score_gate: Score | UnsetType = UNSET
    grace_hours: Hours | UnsetType = UNSET
    state: Literal["active", "paused"] | UnsetType = UNSET


class ServiceOut(Wire):
    """A service."""

    id: str
    object: Literal["service"]
    livemode: bool
    name: str
    description: str
    industry: str
    mode: str
    currency: str
    ceiling: int
    confirmation: bool
    score_gate: int
    funding: str
    fee_bps: int
    grace_hours: int
    retry_policy: str
    late_fee_daily_bps: int
    late_fee_cap_bps: int
    state: str
    created_at: Moment


class ServiceList(Wire):
    """A page of services, newest first."""

    data: list[ServiceOut]
    next_cursor: str | None


class ListQuery(Wire):
    """Which page."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None


class Services(MerchantView):
    """/v1/services"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SERVICES_READ, "post": Scope.SERVICES_WRITE}

    @operation("list_services", "List services", response=ServiceList, query=ListQuery, refusals=[InsufficientScope])
    def get(self, request: Request) -> HttpResponse:
        query = ListQuery.parse_query(request)
        rows, cursor = paginate(queries.services_of(self.merchant_id), cursor=query.cursor, limit=query.limit)
        return json_response(ServiceList(data=[self._out(row) for row in rows], next_cursor=cursor))

    @operation(
        "create_service",
        "Create a service",
        request=NewService,
        response=ServiceOut,
        status=201,
        refusals=[InsufficientScope, services.UnknownPolicy],
        idempotent=True,
        examples=[("Power banks", {"name": "Power bank", "mode": "dynamic", "ceiling": 9900})],
    )
    def post(self, request: Request) -> HttpResponse:
        body = NewService.parse(request)
        service = services.offer_service(self.merchant_id, _terms(body), by=self.actor, at=self.now())
        return json_response(self._out(service), status=201)

    def _out(self, service: Service) -> ServiceOut:
        return service_out(service, livemode=self.caller.merchant.mode == "live", at=self.now())


class OneService(MerchantView):
    """/v1/services/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SERVICES_READ, "patch": Scope.SERVICES_WRITE}

    @operation("get_service", "Get a service", response=ServiceOut, refusals=[InsufficientScope])
    def get(self, _request: Request, service: str) -> HttpResponse:
        found = queries.service_of(self.merchant_id, self.parse_id("svc", service))
        return json_response(service_out(found, livemode=self.caller.merchant.mode == "live", at=self.now()))

    @operation(
        "change_service",
        "Update a service",
        request=ServiceChange,
        response=ServiceOut,
        refusals=[InsufficientScope],
        examples=[("Pause", {"state": "paused"})],
    )
    def patch(self, request: Request, service: str) -> HttpResponse:
        key, body = self.parse_id("svc", service), ServiceChange.parse(request)
        changed = services.change_service(self.merchant_id, key, _terms(body), by=self.actor, at=self.now())
        return json_response(service_out(changed, livemode=self.caller.merchant.mode == "live", at=self.now()))


def service_out(service: Service, *, livemode: bool, at: datetime) -> ServiceOut:
    return ServiceOut(
        id=service.public_id,
        object="service",
        livemode=livemode,
        name=service.name,
        description=service.description,
        industry=service.industry,
        mode=service.mode,
        currency=service.currency,
        ceiling=service.ceiling_minor,
        confirmation=service.confirmation,
        score_gate=service.score_min,
        funding=service.funding,
        fee_bps=service.fee_bps_at(at),
        grace_hours=int(service.grace.total_seconds() // 3600),
        retry_policy=service.retry_policy,
        late_fee_daily_bps=service.late_fee_daily_bps,
        late_fee_cap_bps=service.late_fee_cap_bps,
        state=service.state,
        created_at=service.created_at,
    )


def _terms(body: NewService | ServiceChange) -> dict[str, Any]:
    """The request's fields by the names of their columns."""
    names = {"ceiling": "ceiling_minor", "score_gate": "score_min", "grace_hours": "grace"}
    fields = {name: value for name, value in to_builtins(body).items() if value is not UNSET}
    terms = {names.get(name, name): value for name, value in fields.items()}
    if "grace" in terms:
        terms["grace"] = timedelta(hours=terms["grace"])
    return terms
