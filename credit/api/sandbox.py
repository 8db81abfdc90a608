"""/v1/sandbox/agreements/{id}/sign and /stop: what the person would do on their pages."""

from typing import ClassVar

from django.db.models import Q
from django.http import HttpResponse
from rest_framework.request import Request

from accounts.models import Person
from credit import queries, services
from credit.api.views import AgreementOut, agreement_out
from credit.models import Agreement
from credit.refusals import AgreementState, AlreadyOpened, MeantForAnother, ServicePaused
from kernel import ids
from kernel.openapi import Nothing, operation
from kernel.refusal import NotFound, Refusal
from kernel.wire import Wire
from merchants.access import InsufficientScope, MerchantView, SandboxKeyRequired, json_response
from merchants.refusals import MerchantNotActive
from merchants.rules import Scope


class AgreementRefused(Refusal):
    """The assessment refused to open the service."""

    code, status, title = "agreement_refused", 402, "The person cannot open this service now."


class Signature(Wire):
    """Who signs: a test user's ID or ref; by default the one whose ref is the agreement's person_ref."""

    person: str | None = None


class SignInSandbox(MerchantView):
    """/v1/sandbox/agreements/{id}/sign"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "sandbox_sign_agreement",
        "Sign an agreement on behalf of a test user",
        request=Signature,
        response=AgreementOut,
        refusals=[
            InsufficientScope,
            SandboxKeyRequired,
            AgreementState,
            AlreadyOpened,
            AgreementRefused,
            MeantForAnother,
            ServicePaused,
            MerchantNotActive,
        ],
        idempotent=True,
        examples=[("Ada signs", {"person": "per_…"})],
    )
    def post(self, request: Request, agreement: str) -> HttpResponse:
        own = queries.agreement_of(self.merchant_id, self.parse_id("agr", agreement))
        person = self._find_person(own, Signature.parse(request).person)
        result = services.sign_agreement(own.id, person.id, by=self.actor, at=self.now())
        if not result.decision.approved:
            return self.refusal_response(AgreementRefused(reason="not_eligible"))
        return json_response(agreement_out(result.agreement))

    def _find_person(self, agreement: Agreement, reference: str | None) -> Person:
        reference = agreement.person_ref if reference is None else reference
        matches = Q(ref=reference) | Q(pk=ids.parse("per", reference))
        person = Person.objects.filter(matches, realm_id=agreement.realm_id).first()
        if person is None:
            raise NotFound(field="/person")
        return person


class StopInSandbox(MerchantView):
    """/v1/sandbox/agreements/{id}/stop"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "sandbox_stop_agreement",
        "Stop new orders on behalf of a test user; the authorization ends with the last one",
        request=Nothing,
        response=AgreementOut,
        refusals=[InsufficientScope, SandboxKeyRequired],
        idempotent=True,
    )
    def post(self, request: Request, agreement: str) -> HttpResponse:
        Nothing.parse(request)
        own = queries.agreement_of(self.merchant_id, self.parse_id("agr", agreement))
        services.stop_agreement(own.id, by=self.actor, at=self.now())
        return json_response(agreement_out(queries.agreement_of(self.merchant_id, own.id)))
