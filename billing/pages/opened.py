"""The services a person has opened: what remains of each, stopping one, having it go on, and yes to new terms."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, for_person
from credit import queries, review
from credit import services as credit
from credit.models import Agreement
from credit.refusals import TermsChanged
from kernel.paging import page
from kernel.refusal import NotFound
from merchants.queries import late_bounds, terms_of
from merchants.rules import LateBounds, Terms
from orders.queries import used_under

SERVICES_A_PAGE = 30
_FORM = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@for_person
def opened(visitor: Visitor) -> HttpResponse:
    """What the person has opened, and what still runs of what they stopped."""
    cursor = visitor.request.GET.get("cursor") or None
    found, further = page(queries.services_opened_by(visitor.person.id), cursor=cursor, limit=SERVICES_A_PAGE)
    used, bounds = used_under([row.id for row in found]), late_bounds(visitor.at)
    theirs = [(row, used[row.id], _asked_anew(row, bounds)) for row in found]
    return visitor.show("credit/services.html", opened=theirs, further=further)


def _asked_anew(agreement: Agreement, bounds: LateBounds) -> Terms | None:
    """What the merchant asks for by now, if it is more than was agreed to."""
    terms = terms_of(agreement.service, bounds)
    return terms if agreement.state == Agreement.State.ACTIVE and terms.asks_for_more_than(agreement.agreed) else None


@_FORM
@for_person
def agree(visitor: Visitor, agreement: str) -> HttpResponse:
    """Yes to what the merchant has changed since."""
    if visitor.request.method == "POST":
        found = _mine(visitor, agreement)
        try:
            review.agree_anew(found.id, visitor.sent("terms"), by=visitor.actor, at=visitor.at)
        except TermsChanged as refusal:
            messages.error(visitor.request, str(refusal.title))
        else:
            said = _("Agreed. %(service)s continues under the new terms.") % {"service": found.service.name}
            messages.success(visitor.request, said)
    return redirect("services")


@_FORM
@for_person
def stop(visitor: Visitor, agreement: str) -> HttpResponse:
    """No new orders of this service from now on."""
    if visitor.request.method == "POST":
        found = _mine(visitor, agreement)
        credit.stop_agreement(found.id, by=visitor.actor, at=visitor.at)
        said = _("%(service)s will not open new orders.") % {"service": found.service.name}
        messages.success(visitor.request, said)
    return redirect("services")


@_FORM
@for_person
def reopen(visitor: Visitor, agreement: str) -> HttpResponse:
    """New orders are possible again, while the last ones are still under way."""
    if visitor.request.method == "POST":
        found = _mine(visitor, agreement)
        review.reopen_agreement(found.id, by=visitor.actor, at=visitor.at)
        said = _("New orders for %(service)s are allowed again.") % {"service": found.service.name}
        messages.success(visitor.request, said)
    return redirect("services")


def _mine(visitor: Visitor, agreement: str) -> Agreement:
    found = queries.agreement_before(visitor.person, visitor.named("agr", agreement))
    if found.person_id != visitor.person.id:
        raise NotFound
    return found
