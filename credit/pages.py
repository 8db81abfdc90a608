"""The services a person has opened, and how they stop one."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, for_person
from credit import queries, services
from kernel.paging import page
from kernel.refusal import NotFound

SERVICES_A_PAGE = 30


@require_safe
@for_person
def opened(visitor: Visitor) -> HttpResponse:
    """What the person has opened, and what still runs of what they stopped."""
    cursor = visitor.request.GET.get("cursor") or None
    found, further = page(queries.services_opened_by(visitor.person.id), cursor=cursor, limit=SERVICES_A_PAGE)
    return visitor.show("credit/services.html", agreements=found, further=further)


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def stop(visitor: Visitor, agreement: str) -> HttpResponse:
    """No new orders of this service from now on."""
    if visitor.request.method != "POST":
        return redirect("services")
    found = queries.agreement_before(visitor.person, visitor.named("agr", agreement))
    if found.person_id != visitor.person.id:
        raise NotFound
    services.stop_agreement(found.id, by=visitor.actor, at=visitor.at)
    messages.success(visitor.request, _("Stopped: %(service)s opens no new orders.") % {"service": found.service.name})
    return redirect("services")
