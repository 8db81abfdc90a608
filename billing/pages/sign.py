"""Opening a service: who asks, what for, and the person's yes."""

from urllib.parse import parse_qsl, urlencode, urlsplit

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts import services as accounts
from accounts.refusals import AlreadyVerified
from accounts.visitor import Visitor, for_person
from billing import queries
from billing.services import instruments
from credit import queries as standings
from credit.models import Agreement
from credit.services import AgreementState, AlreadyOpened
from kernel.refusal import NotFound, Refusal

GONE = 410


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def sign(visitor: Visitor, agreement: str) -> HttpResponse:
    """The merchant's terms in plain words, and the button that agrees to them."""
    found = _asked(visitor, agreement)
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
    """The real-name step: without it nobody may owe anything."""
    found = _asked(visitor, agreement)
    if visitor.request.method != "POST":
        return redirect("sign", agreement)
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
        return visitor.show("billing/sign_done.html", agreement=found, way_back=way_back(found))
    decision = standings.last_decision(found.id, visitor.person.id)
    if found.state != Agreement.State.PENDING or decision is None or decision.approved:
        return redirect("sign", agreement)
    return visitor.show("billing/sign_refused.html", agreement=found, decision=decision, way_back=way_back(found))


def way_back(agreement: Agreement) -> tuple[str, str] | None:
    """The merchant's own address with the outcome in its query, and its host; None unless it is a plain web address.

    Only what the merchant stored counts, never anything of the person's request.
    """
    try:
        parts = urlsplit(agreement.return_url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        return None
    outcome = {"agreement": agreement.public_id, "state": agreement.state}
    asked = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in outcome]
    return parts._replace(query=urlencode([*asked, *outcome.items()])).geturl(), host


def _asked(visitor: Visitor, agreement: str) -> Agreement:
    return standings.agreement_before(visitor.person, visitor.named("agr", agreement))


def _terms(
    visitor: Visitor, agreement: Agreement, *, refusal: Refusal | None = None, status: int = 200
) -> HttpResponse:
    opened = standings.services_opened_by(visitor.person.id).filter(service_id=agreement.service_id)
    return visitor.show(
        "billing/sign.html",
        status=status,
        agreement=agreement,
        service=agreement.service,
        opened=opened.filter(state__in=[Agreement.State.ACTIVE, Agreement.State.CLOSING]).exists(),
        instruments=queries.instruments_of([visitor.person.id]).get(visitor.person.id, []),
        refusal=refusal,
        name=visitor.sent("name"),
        id_number=visitor.sent("id_number"),
    )


def _signed(visitor: Visitor, agreement: Agreement) -> HttpResponse:
    """The yes. A second click finds the first one; whoever has opened a service has a wallet to pay from."""
    try:
        instruments.sign_with_wallet(agreement.id, visitor.person, by=visitor.actor, at=visitor.at)
    except (AgreementState, AlreadyOpened):
        return redirect("sign", agreement.public_id)  # which says what became of it meanwhile
    return redirect("sign_result", agreement.public_id)
