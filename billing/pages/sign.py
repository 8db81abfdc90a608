"""Pages to open a service: terms, identity verification, signing, result."""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from allauth.core import ratelimit
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts import services as accounts
from accounts.refusals import AlreadyVerified, TooManyAttempts
from accounts.visitor import Visitor, person_page
from billing import instrument_queries, queries, rules
from billing.models import Instrument
from billing.refusals import ChooseInstrument
from billing.services import instruments
from credit import queries as standings
from credit import return_urls
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

HTTP_GONE = 410
#: The amount of the cost example (minor units), if the service's ceiling is not lower.
EXAMPLE_MINOR = 100_00
#: Stands for the terms fingerprint of a form that has none: it is unknown which terms were shown.
NO_TERMS = "-"


def remember_sign_request(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator: remember in the session which merchant and service ask, for the sign-in page to show."""

    @wraps(view)
    def page(request: HttpRequest, agreement: str) -> HttpResponse:
        key = ids.parse(Agreement.prefix, agreement)
        pending = standings.pending_agreement(key) if key and not request.user.is_authenticated else None
        if pending:
            names = {
                "merchant": pending.merchant.name,
                "service": pending.service.name,
                "test": pending.realm.mode == "test",
            }
            request.session["asked"] = {"path": request.path, **names}
        return view(request, agreement)

    return page


@require_http_methods(["GET", "HEAD", "POST"])
@remember_sign_request
@person_page
def sign(visitor: Visitor, agreement: str) -> HttpResponse:
    """Show the terms; POST signs the agreement."""
    try:
        row = _visible_agreement(visitor, agreement)
    except NotFound:
        return _render_sandbox_link(visitor, agreement)
    except MeantForAnother as refusal:
        return visitor.render("billing/sign_elsewhere.html", status=refusal.status, refusal=refusal)
    if visitor.request.method == "POST":
        return _sign(visitor, row)
    if row.state == Agreement.State.PENDING:
        return _render_terms(visitor, row)
    if row.person_id is None:
        return visitor.render("billing/sign_gone.html", status=HTTP_GONE, agreement=row)
    return redirect("sign_result", agreement)


@sensitive_post_parameters("name", "id_number")
@require_http_methods(["GET", "HEAD", "POST"])
@person_page
def verify_identity(visitor: Visitor, agreement: str) -> HttpResponse:
    """Verify the person's identity, required before they may owe anything. Attempts are rate limited per person."""
    row = _visible_agreement(visitor, agreement)
    if visitor.request.method != "POST":
        return redirect("sign", agreement)
    if not ratelimit.consume(visitor.request, action="verify_identity", key=visitor.person.public_id):
        return _render_terms(visitor, row, refusal=TooManyAttempts(), status=TooManyAttempts.status)
    try:
        accounts.verify_identity(
            visitor.person.id, visitor.posted("name"), visitor.posted("id_number"), by=visitor.actor, at=visitor.at
        )
    except AlreadyVerified:
        return redirect("sign", agreement)
    except NotFound:
        raise
    except Refusal as refusal:
        return _render_terms(visitor, row, refusal=refusal, status=refusal.status)
    return redirect("sign", agreement)


@require_safe
@person_page
def result(visitor: Visitor, agreement: str) -> HttpResponse:
    """The result: opened, or declined with the reasons."""
    row = _visible_agreement(visitor, agreement)
    if row.person_id is not None:
        return visitor.render(
            "billing/sign_done.html",
            agreement=row,
            decision=standings.latest_decision(row.id, visitor.person.id),
            host=return_urls.return_host(row),
        )
    decision = standings.latest_decision(row.id, visitor.person.id)
    if row.state != Agreement.State.PENDING or decision is None or decision.approved:
        return redirect("sign", agreement)
    return visitor.render(
        "billing/sign_refused.html", agreement=row, decision=decision, host=return_urls.return_host(row)
    )


@require_safe
@person_page
def back_to_merchant(visitor: Visitor, agreement: str) -> HttpResponse:
    """Redirect to the merchant with the agreement's state. The URL is signed now, because signatures expire."""
    row = _visible_agreement(visitor, agreement)
    url = return_urls.signed_return_url(row, at=live_now())
    if not url:
        raise NotFound
    return HttpResponseRedirect(url)


def _render_sandbox_link(visitor: Visitor, agreement: str) -> HttpResponse:
    """The page for a real person who opens a sandbox link.

    Raises:
        NotFound: it is not a sandbox link.
    """
    pending = standings.pending_agreement(visitor.parse_id(Agreement.prefix, agreement))
    if visitor.is_sandbox or pending is None or pending.realm.mode != "test":
        raise NotFound
    return visitor.render("billing/sign_elsewhere.html", status=404)


def _visible_agreement(visitor: Visitor, agreement: str) -> Agreement:
    return standings.agreement_visible_to(visitor.person, visitor.parse_id("agr", agreement))


def _render_terms(
    visitor: Visitor, agreement: Agreement, *, refusal: Refusal | None = None, status: int = 200
) -> HttpResponse:
    terms = terms_of(agreement.service, late_bounds(visitor.at))
    return visitor.render(
        "billing/sign.html",
        status=status,
        agreement=agreement,
        service=agreement.service,
        already_open=_has_service_open(visitor, agreement),
        instruments=queries.instruments_of([visitor.person.id]).get(visitor.person.id, []),
        balance=queries.wallet_balance(visitor.person.id),
        closed=instrument_queries.closed_instruments(visitor.person.id),
        terms=terms,
        costs=cost_example(agreement.service, terms.late),
        host=return_urls.return_host(agreement),
        chosen=visitor.posted("instrument"),
        refusal=refusal,
        name=visitor.posted("name"),
        id_number=visitor.posted("id_number"),
    )


def _has_service_open(visitor: Visitor, agreement: Agreement) -> bool:
    """Whether the person has opened this service, with this agreement or another."""
    agreements = standings.services_opened_by(visitor.person.id).filter(service_id=agreement.service_id)
    return agreements.filter(state__in=[Agreement.State.ACTIVE, Agreement.State.CLOSING]).exists()


def cost_example(service: Service, late: LateTerms) -> rules.CostExample:
    """The cost of an example order within the service's ceiling."""
    example = Money(min(service.ceiling_minor, EXAMPLE_MINOR), service.currency)
    return rules.CostExample(example, late.late_fee_daily_bps, late.late_fee_cap_bps)


def _sign(visitor: Visitor, agreement: Agreement) -> HttpResponse:
    """Sign the agreement. Idempotent. A person without an instrument gets a wallet."""
    try:
        instrument_id = _parse_instrument(visitor)
        shown_terms = visitor.posted("terms") or NO_TERMS
        instruments.sign_with_instrument(
            agreement.id, visitor.person, instrument_id, by=visitor.actor, at=visitor.at, shown=shown_terms
        )
    except (AgreementState, AlreadyOpened):
        return redirect("sign", agreement.public_id)  # shows the current state
    except (ServicePaused, MerchantNotActive, TermsChanged) as refusal:
        return _render_terms(visitor, agreement, refusal=refusal, status=refusal.status)
    except ChooseInstrument as refusal:
        if _has_service_open(visitor, agreement):
            # The first of two submissions opened the wallet, so that there is now an instrument to choose.
            return redirect("sign_result" if agreement.person_id else "sign", agreement.public_id)
        return _render_terms(visitor, agreement, refusal=refusal, status=refusal.status)
    return redirect("sign_result", agreement.public_id)


def _parse_instrument(visitor: Visitor) -> UUID | None:
    """The chosen instrument; None if there was nothing to choose.

    Raises:
        ChooseInstrument: none was chosen, or it is no longer usable.
    """
    usable = queries.instruments_of([visitor.person.id]).get(visitor.person.id, [])
    instrument_id = ids.parse(Instrument.prefix, visitor.posted("instrument"))
    if instrument_id is None and len(usable) <= 1 and not visitor.posted("instrument"):
        return None
    if instrument_id not in {row.id for row in usable}:
        raise ChooseInstrument
    return instrument_id
