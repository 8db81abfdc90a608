"""Opening a service: who asks, what for, and the person's yes."""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from allauth.core import ratelimit
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts import services as accounts
from accounts.refusals import AlreadyVerified, TriedEnough
from accounts.visitor import Visitor, for_person
from billing import purse, queries, rules
from billing.models import Instrument
from billing.refusals import ChooseInstrument
from billing.services import instruments
from credit import queries as standings
from credit import returns
from credit.models import Agreement
from credit.refusals import AgreementState, AlreadyOpened, MeantForAnother, ServicePaused, TermsChanged
from kernel import ids
from kernel.clock import live_now
from kernel.money import Money
from kernel.refusal import NotFound, Refusal
from merchants.models import Service
from merchants.queries import late_bounds, terms_of
from merchants.refusals import MerchantNotActive
from merchants.rules import LateTerms

GONE = 410
#: What costs are shown on: a hundred, or an order of the highest amount there may be.
EXAMPLE_MINOR = 100_00
#: The seal of a form that carries none: nobody knows what its sender has seen.
NOT_SHOWN = "-"


def introduced(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Whoever comes from a merchant and has to sign in first is told there who asks, and what for."""

    @wraps(view)
    def page(request: HttpRequest, agreement: str) -> HttpResponse:
        key = ids.parse(Agreement.prefix, agreement)
        asked = standings.asked_for(key) if key and not request.user.is_authenticated else None
        if asked:
            names = {"merchant": asked.merchant.name, "service": asked.service.name, "test": asked.realm.mode == "test"}
            request.session["asked"] = {"path": request.path, **names}
        return view(request, agreement)

    return page


@require_http_methods(["GET", "HEAD", "POST"])
@introduced
@for_person
def sign(visitor: Visitor, agreement: str) -> HttpResponse:
    """The merchant's terms in plain words, and the button that agrees to them."""
    try:
        found = _asked(visitor, agreement)
    except NotFound:
        return _elsewhere(visitor, agreement)
    except MeantForAnother as refusal:
        return visitor.show("billing/sign_elsewhere.html", status=refusal.status, refusal=refusal)
    if visitor.request.method == "POST":
        return _signed(visitor, found)
    if found.state == Agreement.State.PENDING:
        return _terms(visitor, found)
    if found.person_id is None:
        return visitor.show("billing/sign_gone.html", status=GONE, agreement=found)
    return redirect("sign_result", agreement)


@sensitive_post_parameters("name", "id_number")
@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def identity(visitor: Visitor, agreement: str) -> HttpResponse:
    """The real-name step: without it nobody may owe anything. Tries are counted for each person, however they end."""
    found = _asked(visitor, agreement)
    if visitor.request.method != "POST":
        return redirect("sign", agreement)
    if not ratelimit.consume(visitor.request, action="verify_identity", key=visitor.person.public_id):
        return _terms(visitor, found, refusal=TriedEnough(), status=TriedEnough.status)
    try:
        accounts.verify_identity(
            visitor.person.id, visitor.sent("name"), visitor.sent("id_number"), by=visitor.actor, at=visitor.at
        )
    except AlreadyVerified:
        return redirect("sign", agreement)
    except NotFound:
        raise
    except Refusal as refusal:
        return _terms(visitor, found, refusal=refusal, status=refusal.status)
    return redirect("sign", agreement)


@require_safe
@for_person
def result(visitor: Visitor, agreement: str) -> HttpResponse:
    """How it ended: opened, or not and why."""
    found = _asked(visitor, agreement)
    if found.person_id is not None:
        return visitor.show(
            "billing/sign_done.html",
            agreement=found,
            decision=standings.last_decision(found.id, visitor.person.id),
            host=returns.host_of(found),
        )
    decision = standings.last_decision(found.id, visitor.person.id)
    if found.state != Agreement.State.PENDING or decision is None or decision.approved:
        return redirect("sign", agreement)
    return visitor.show("billing/sign_refused.html", agreement=found, decision=decision, host=returns.host_of(found))


@require_safe
@for_person
def back(visitor: Visitor, agreement: str) -> HttpResponse:
    """Back to the merchant with how it stands, signed at this moment: what lies in a history is soon too old."""
    found = _asked(visitor, agreement)
    address = returns.way_back(found, at=live_now())
    if not address:
        raise NotFound
    return HttpResponseRedirect(address)


def _elsewhere(visitor: Visitor, agreement: str) -> HttpResponse:
    """A sandbox's link, opened by somebody real: that it is one is no secret.

    Raises:
        NotFound: it is nothing of the kind.
    """
    asked = standings.asked_for(visitor.named(Agreement.prefix, agreement))
    if visitor.sandbox or asked is None or asked.realm.mode != "test":
        raise NotFound
    return visitor.show("billing/sign_elsewhere.html", status=404)


def _asked(visitor: Visitor, agreement: str) -> Agreement:
    return standings.agreement_before(visitor.person, visitor.named("agr", agreement))


def _terms(
    visitor: Visitor, agreement: Agreement, *, refusal: Refusal | None = None, status: int = 200
) -> HttpResponse:
    terms = terms_of(agreement.service, late_bounds(visitor.at))
    return visitor.show(
        "billing/sign.html",
        status=status,
        agreement=agreement,
        service=agreement.service,
        opened=_opened(visitor, agreement),
        instruments=queries.instruments_of([visitor.person.id]).get(visitor.person.id, []),
        balance=queries.balance_of(visitor.person.id),
        closed=purse.closed_to(visitor.person.id),
        terms=terms,
        costs=costs_of(agreement.service, terms.late),
        host=returns.host_of(agreement),
        chosen=visitor.sent("instrument"),
        refusal=refusal,
        name=visitor.sent("name"),
        id_number=visitor.sent("id_number"),
    )


def _opened(visitor: Visitor, agreement: Agreement) -> bool:
    """Whether the person has this service open, by this agreement or another."""
    theirs = standings.services_opened_by(visitor.person.id).filter(service_id=agreement.service_id)
    return theirs.filter(state__in=[Agreement.State.ACTIVE, Agreement.State.CLOSING]).exists()


def costs_of(service: Service, late: LateTerms) -> rules.Costs:
    """What an order of the service would cost its person, on an example within its ceiling."""
    example = Money(min(service.ceiling_minor, EXAMPLE_MINOR), service.currency)
    return rules.Costs(example, late.late_fee_daily_bps, late.late_fee_cap_bps)


def _signed(visitor: Visitor, agreement: Agreement) -> HttpResponse:
    """The yes. A second click finds the first one; who had nothing to pay from has a wallet then."""
    try:
        chosen = _instrument(visitor)
        shown = visitor.sent("terms") or NOT_SHOWN
        instruments.sign_paying_from(agreement.id, visitor.person, chosen, by=visitor.actor, at=visitor.at, shown=shown)
    except (AgreementState, AlreadyOpened):
        return redirect("sign", agreement.public_id)  # which says what became of it meanwhile
    except (ServicePaused, MerchantNotActive, TermsChanged) as refusal:
        return _terms(visitor, agreement, refusal=refusal, status=refusal.status)
    except ChooseInstrument as refusal:
        if _opened(visitor, agreement):  # the first click of two has opened the wallet, which is one more to choose
            return redirect("sign_result" if agreement.person_id else "sign", agreement.public_id)
        return _terms(visitor, agreement, refusal=refusal, status=refusal.status)
    return redirect("sign_result", agreement.public_id)


def _instrument(visitor: Visitor) -> UUID | None:
    """What the person wants it taken from; nothing where there was nothing to choose.

    Raises:
        ChooseInstrument: there is, and they did not, or it is gone.
    """
    usable = queries.instruments_of([visitor.person.id]).get(visitor.person.id, [])
    chosen = ids.parse(Instrument.prefix, visitor.sent("instrument"))
    if chosen is None and len(usable) <= 1 and not visitor.sent("instrument"):
        return None
    if chosen not in {row.id for row in usable}:
        raise ChooseInstrument
    return chosen
