"""/v1/agreements and /v1/eligibility."""

from typing import Annotated, ClassVar, Literal

from django.conf import settings
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from accounts.refusals import InvalidPhone
from credit import queries, services
from credit.models import Agreement
from credit.queries import Standing
from credit.refusals import ServicePaused
from credit.return_urls import parse_host, return_secret_of
from credit.rules import Verdict, assess
from kernel.ids import public
from kernel.money import AMOUNT_MINOR_MAX
from kernel.openapi import Nothing, operation
from kernel.paging import LIMIT_MAX, paginate
from kernel.refusal import FieldError, Invalid, NotFound, refusals_in_field
from kernel.wire import Moment, Wire
from merchants.access import InsufficientScope, MerchantView, json_response
from merchants.models import Service
from merchants.refusals import MerchantNotActive
from merchants.rules import Scope


class NewAgreement(Wire):
    """Create an agreement for a person to open a service."""

    service: str
    person_ref: Annotated[str, Meta(min_length=1, max_length=64, description="Your own ID for the person.")]
    return_url: Annotated[
        str, Meta(max_length=500, description="Where the person goes after signing, and after confirming an order.")
    ] = ""
    phone: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class AgreementOut(Wire):
    """A person's authorization to order from a service and have amounts deducted."""

    id: str
    object: Literal["agreement"]
    livemode: bool
    state: str
    service: str
    person: str | None
    person_ref: str
    return_url: str
    return_secret: str | None
    sign_url: str | None
    created_at: Moment
    activated_at: Moment | None
    closing_at: Moment | None
    terminated_at: Moment | None


class AgreementList(Wire):
    """A page of agreements, newest first."""

    data: list[AgreementOut]
    next_cursor: str | None


class AgreementQuery(Wire):
    """Which agreements."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None
    state: Literal["pending", "active", "closing", "terminated"] | None = None
    person_ref: str | None = None


class EligibilityAsk(Wire):
    """Checks whether the agreement's person can order this amount now."""

    agreement: str
    amount: Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")] = "CNY"


class EligibilityOut(Wire):
    """A coarse answer. Nothing is held or guaranteed."""

    object: Literal["eligibility"]
    agreement: str
    eligible: bool
    reason: str | None


class Agreements(MerchantView):
    """/v1/agreements"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.AGREEMENTS_READ, "post": Scope.AGREEMENTS_WRITE}

    @operation(
        "list_agreements", "List agreements", response=AgreementList, query=AgreementQuery, refusals=[InsufficientScope]
    )
    def get(self, request: Request) -> HttpResponse:
        query = AgreementQuery.parse_query(request)
        rows = queries.agreements_of(self.merchant_id)
        if query.state:
            rows = rows.filter(state=query.state)
        if query.person_ref is not None:
            rows = rows.filter(person_ref=query.person_ref)
        agreements, cursor = paginate(rows, cursor=query.cursor, limit=query.limit)
        return json_response(AgreementList(data=[agreement_out(row) for row in agreements], next_cursor=cursor))

    @operation(
        "create_agreement",
        "Create an agreement for a person to open a service",
        request=NewAgreement,
        response=AgreementOut,
        status=201,
        refusals=[InsufficientScope, ServicePaused, MerchantNotActive, InvalidPhone],
        idempotent=True,
        examples=[
            (
                "A new customer",
                {"service": "svc_…", "person_ref": "customer-17", "return_url": "https://shop.example/back"},
            ),
            (
                "Nobody but this customer",
                {"service": "svc_…", "person_ref": "customer-17", "phone": "+8613800138000"},
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        body = NewAgreement.parse(request)
        if body.return_url and not parse_host(body.return_url):
            raise Invalid(errors=[FieldError("/return_url", "must be a plain http or https address")])
        with refusals_in_field("/service", NotFound):
            agreement = services.request_agreement(
                self.merchant_id,
                self.parse_id("svc", body.service),
                body.person_ref,
                phone=body.phone or "",
                return_url=body.return_url,
                by=self.actor,
                at=self.now(),
            )
        return json_response(agreement_out(agreement), status=201)


class OneAgreement(MerchantView):
    """/v1/agreements/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.AGREEMENTS_READ}

    @operation("get_agreement", "Get an agreement", response=AgreementOut, refusals=[InsufficientScope])
    def get(self, _request: Request, agreement: str) -> HttpResponse:
        return json_response(agreement_out(queries.agreement_of(self.merchant_id, self.parse_id("agr", agreement))))


class TerminateAgreement(MerchantView):
    """/v1/agreements/{id}/terminate"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.AGREEMENTS_WRITE}

    @operation(
        "terminate_agreement",
        "Stop new orders under an agreement",
        request=Nothing,
        response=AgreementOut,
        refusals=[InsufficientScope],
        idempotent=True,
    )
    def post(self, request: Request, agreement: str) -> HttpResponse:
        Nothing.parse(request)
        own = queries.agreement_of(self.merchant_id, self.parse_id("agr", agreement))
        services.stop_agreement(own.id, by=self.actor, at=self.now())
        return json_response(agreement_out(queries.agreement_of(self.merchant_id, own.id)))


class Eligibility(MerchantView):
    """/v1/eligibility"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.AGREEMENTS_READ}

    @operation(
        "check_eligibility",
        "Check whether this person can order this amount now",
        request=EligibilityAsk,
        response=EligibilityOut,
        refusals=[InsufficientScope],
        idempotent=True,
        examples=[("Before handing out a power bank", {"agreement": "agr_…", "amount": 9900})],
    )
    def post(self, request: Request) -> HttpResponse:
        body = EligibilityAsk.parse(request)
        with refusals_in_field("/agreement", NotFound):
            standing = queries.standing_of(self.parse_id("agr", body.agreement), at=self.now())
            if standing.agreement.merchant_id != self.merchant_id:
                raise NotFound
        reason = _ineligible_reason(standing, body) or _refusal_reason(assess(standing.facts(body.amount)))
        return json_response(
            EligibilityOut(object="eligibility", agreement=body.agreement, eligible=not reason, reason=reason or None)
        )


def _ineligible_reason(standing: Standing, body: EligibilityAsk) -> str:
    """Why an order of this amount would be refused whoever the person is; empty if for nothing."""
    service, merchant = standing.agreement.service, standing.agreement.merchant
    max_minor = min(service.ceiling_minor, merchant.order_most_minor or service.ceiling_minor)
    reasons = {
        "merchant_not_active": not merchant.accepts_orders,
        "agreement_not_active": standing.agreement.state != Agreement.State.ACTIVE,
        "service_paused": service.state != Service.State.ACTIVE,
        "currency_mismatch": body.currency != service.currency,
        "amount_too_high": body.amount > max_minor,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _refusal_reason(verdict: Verdict) -> str:
    return verdict.coarse_reason if verdict.reasons else ""


def agreement_out(agreement: Agreement) -> AgreementOut:
    pending = agreement.state == Agreement.State.PENDING
    return AgreementOut(
        id=agreement.public_id,
        object="agreement",
        livemode=agreement.realm_id == 1,
        state=agreement.state,
        service=public("svc", agreement.service_id),
        person=public("per", agreement.person_id) if agreement.person_id else None,
        person_ref=agreement.person_ref,
        return_url=agreement.return_url,
        return_secret=return_secret_of(agreement) if agreement.return_url else None,
        sign_url=f"{settings.BASE_URL}/sign/{agreement.public_id}" if pending else None,
        created_at=agreement.created_at,
        activated_at=agreement.activated_at,
        closing_at=agreement.closing_at,
        terminated_at=agreement.terminated_at,
    )
