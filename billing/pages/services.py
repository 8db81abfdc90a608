"""The services a person has opened: list, stop, reopen, and agree to changed terms."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, person_page
from credit import queries, reassessments
from credit import services as credit
from credit.models import Agreement
from credit.refusals import TermsChanged
from kernel.paging import paginate
from kernel.refusal import NotFound
from merchants.queries import late_bounds, terms_of
from merchants.rules import LateBounds, ServiceTerms
from orders.queries import usage_of_agreements

SERVICES_A_PAGE = 30
_get_or_post = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@person_page
def service_list(visitor: Visitor) -> HttpResponse:
    """The person's opened services, and stopped ones with orders in progress."""
    cursor = visitor.request.GET.get("cursor") or None
    agreements, next_cursor = paginate(
        queries.services_opened_by(visitor.person.id), cursor=cursor, limit=SERVICES_A_PAGE
    )
    used, bounds = usage_of_agreements([row.id for row in agreements]), late_bounds(visitor.at)
    entries = [(row, used[row.id], _changed_terms(row, bounds)) for row in agreements]
    return visitor.render("credit/services.html", entries=entries, next_cursor=next_cursor)


def _changed_terms(agreement: Agreement, bounds: LateBounds) -> ServiceTerms | None:
    """The service's current terms, if they ask for more than was agreed to."""
    terms = terms_of(agreement.service, bounds)
    return terms if agreement.state == Agreement.State.ACTIVE and terms.is_worse_than(agreement.agreed_terms) else None


@_get_or_post
@person_page
def agree(visitor: Visitor, agreement: str) -> HttpResponse:
    """Agree to the changed terms."""
    if visitor.request.method == "POST":
        row = _own_agreement(visitor, agreement)
        try:
            reassessments.accept_new_terms(row.id, visitor.posted("terms"), by=visitor.actor, at=visitor.at)
        except TermsChanged as refusal:
            messages.error(visitor.request, str(refusal.title))
        else:
            message = _("Agreed. %(service)s continues under the new terms.") % {"service": row.service.name}
            messages.success(visitor.request, message)
    return redirect("services")


@_get_or_post
@person_page
def stop(visitor: Visitor, agreement: str) -> HttpResponse:
    """Stop new orders of a service."""
    if visitor.request.method == "POST":
        row = _own_agreement(visitor, agreement)
        credit.stop_agreement(row.id, by=visitor.actor, at=visitor.at)
        message = _("%(service)s will not open new orders.") % {"service": row.service.name}
        messages.success(visitor.request, message)
    return redirect("services")


@_get_or_post
@person_page
def reopen(visitor: Visitor, agreement: str) -> HttpResponse:
    """Allow new orders again, while earlier ones are still in progress."""
    if visitor.request.method == "POST":
        row = _own_agreement(visitor, agreement)
        reassessments.reopen_agreement(row.id, by=visitor.actor, at=visitor.at)
        message = _("New orders for %(service)s are allowed again.") % {"service": row.service.name}
        messages.success(visitor.request, message)
    return redirect("services")


def _own_agreement(visitor: Visitor, agreement: str) -> Agreement:
    row = queries.agreement_visible_to(visitor.person, visitor.parse_id("agr", agreement))
    if row.person_id != visitor.person.id:
        raise NotFound
    return row
