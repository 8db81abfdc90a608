"""/v1/agreements and /v1/eligibility."""

from datetime import datetime
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
from credit.returns import host_in, secret_of
from credit.rules import Verdict, assess
from kernel.contract import Nothing, operation
from kernel.ids import public
from kernel.money import MOST_MINOR
from kernel.paging import LIMIT_MAX, page
from kernel.refusal import FieldError, Invalid, NotFound, in_field
from kernel.wire import Wire
from merchants.access import MerchantView, NotAllowed, answer
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
    created_at: datetime
    activated_at: datetime | None
    closing_at: datetime | None
    terminated_at: datetime | None


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
    amount: Annotated[int, Meta(ge=0, le=MOST_MINOR)]
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

    @operation("list_agreements", "List agreements", gives=AgreementList, query=AgreementQuery, refuses=[NotAllowed])
    def get(self, request: Request) -> HttpResponse:
        asked = AgreementQuery.parse_query(request)
        rows = queries.agreements_of(self.merchant_id)
        if asked.state:
            rows = rows.filter(state=asked.state)
        if asked.person_ref is not None:
            rows = rows.filter(person_ref=asked.person_ref)
        found, cursor = page(rows, cursor=asked.cursor, limit=asked.limit)
        return answer(AgreementList(data=[agreement_out(row) for row in found], next_cursor=cursor))

    @operation(
        "create_agreement",
        "Create an agreement for a person to open a service",
        takes=NewAgreement,
        gives=AgreementOut,
        status=201,
        refuses=[NotAllowed, ServicePaused, MerchantNotActive, InvalidPhone],
        writes=True,
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
        asked = NewAgreement.parse(request)
        if asked.return_url and not host_in(asked.return_url):
            raise Invalid(errors=[FieldError("/return_url", "must be a plain http or https address")])
        with in_field("/service", NotFound):
            agreement = services.request_agreement(
                self.merchant_id,
                self.named("svc", asked.service),
                asked.person_ref,
                phone=asked.phone or "",
                return_url=asked.return_url,
                by=self.actor,
                at=self.now(),
            )
        return answer(agreement_out(agreement), status=201)


class OneAgreement(MerchantView):
    """/v1/agreements/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.AGREEMENTS_READ}

    @operation("get_agreement", "Get an agreement", gives=AgreementOut, refuses=[NotAllowed])
    def get(self, _request: Request, agreement: str) -> HttpResponse:
        return answer(agreement_out(queries.agreement_of(self.merchant_id, self.named("agr", agreement))))


class TerminateAgreement(MerchantView):
    """/v1/agreements/{id}/terminate"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.AGREEMENTS_WRITE}

    @operation(
        "terminate_agreement",
        "Stop new orders under an agreement",
        takes=Nothing,
        gives=AgreementOut,
        refuses=[NotAllowed],
        writes=True,
    )
    def post(self, request: Request, agreement: str) -> HttpResponse:
        Nothing.parse(request)
        mine = queries.agreement_of(self.merchant_id, self.named("agr", agreement))
        services.stop_agreement(mine.id, by=self.actor, at=self.now())
        return answer(agreement_out(queries.agreement_of(self.merchant_id, mine.id)))


class Eligibility(MerchantView):
    """/v1/eligibility"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.AGREEMENTS_READ}

    @operation(
        "check_eligibility",
        "Check whether this person can order this amount now",
        takes=EligibilityAsk,
        gives=EligibilityOut,
        refuses=[NotAllowed],
        writes=True,
        examples=[("Before handing out a power bank", {"agreement": "agr_…", "amount": 9900})],
    )
    def post(self, request: Request) -> HttpResponse:
        asked = EligibilityAsk.parse(request)
        with in_field("/agreement", NotFound):
            standing = queries.standing_of(self.named("agr", asked.agreement), at=self.now())
            if standing.agreement.merchant_id != self.merchant_id:
                raise NotFound
        reason = _stands_in_the_way(standing, asked) or _coarse(assess(standing.facts(asked.amount)))
        return answer(
            EligibilityOut(object="eligibility", agreement=asked.agreement, eligible=not reason, reason=reason or None)
        )


def _stands_in_the_way(standing: Standing, asked: EligibilityAsk) -> str:
    """What an order of this amount would be refused for, whoever the person is; empty if nothing."""
    service, merchant = standing.agreement.service, standing.agreement.merchant
    most = min(service.ceiling_minor, merchant.order_most_minor or service.ceiling_minor)
    hindrances = {
        "merchant_not_active": not merchant.takes_orders,
        "agreement_not_active": standing.agreement.state != Agreement.State.ACTIVE,
        "service_paused": service.state != Service.State.ACTIVE,
        "currency_mismatch": asked.currency != service.currency,
        "amount_too_high": asked.amount > most,
    }
    return next((reason for reason, holds in hindrances.items() if holds), "")


def _coarse(verdict: Verdict) -> str:
    return verdict.coarse if verdict.reasons else ""


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
        return_secret=secret_of(agreement) if agreement.return_url else None,
        sign_url=f"{settings.BASE_URL}/sign/{agreement.public_id}" if pending else None,
        created_at=agreement.created_at,
        activated_at=agreement.activated_at,
        closing_at=agreement.closing_at,
        terminated_at=agreement.terminated_at,
    )
