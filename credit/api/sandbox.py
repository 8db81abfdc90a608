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
from kernel.contract import Nothing, operation
from kernel.refusal import NotFound, Refusal
from kernel.wire import Wire
from merchants.access import MerchantView, NotAllowed, WrongMode, answer
from merchants.refusals import MerchantNotActive
from merchants.rules import Scope


class AgreementRefused(Refusal):
    """The assessment at opening went against the person."""

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
        takes=Signature,
        gives=AgreementOut,
        refuses=[
            NotAllowed,
            WrongMode,
            AgreementState,
            AlreadyOpened,
            AgreementRefused,
            MeantForAnother,
            ServicePaused,
            MerchantNotActive,
        ],
        writes=True,
        examples=[("Ada signs", {"person": "per_…"})],
    )
    def post(self, request: Request, agreement: str) -> HttpResponse:
        mine = queries.agreement_of(self.merchant_id, self.named("agr", agreement))
        person = self._person(mine, Signature.parse(request).person)
        signing = services.sign_agreement(mine.id, person.id, by=self.actor, at=self.now())
        if not signing.decision.approved:
            return self.refused(AgreementRefused(reason="not_eligible"))
        return answer(agreement_out(signing.agreement))

    def _person(self, agreement: Agreement, named: str | None) -> Person:
        named = agreement.person_ref if named is None else named
        who = Q(ref=named) | Q(pk=ids.parse("per", named))
        person = Person.objects.filter(who, realm_id=agreement.realm_id).first()
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
        takes=Nothing,
        gives=AgreementOut,
        refuses=[NotAllowed, WrongMode],
        writes=True,
    )
    def post(self, request: Request, agreement: str) -> HttpResponse:
        Nothing.parse(request)
        mine = queries.agreement_of(self.merchant_id, self.named("agr", agreement))
        services.stop_agreement(mine.id, by=self.actor, at=self.now())
        return answer(agreement_out(queries.agreement_of(self.merchant_id, mine.id)))
