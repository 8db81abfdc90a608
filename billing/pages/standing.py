"""Where a person stands: score and limit, what moved them, every decision with its reasons, and objecting to one."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, for_person
from credit import queries, rules
from credit.models import Decision, Profile
from kernel.forms import new_token
from kernel.money import Money
from kernel.paging import page
from kernel.refusal import NotFound, Refusal
from orders import rules as asking
from orders import services
from orders.models import Order

CHANGES_A_PAGE, DECISIONS_A_PAGE, LIMITS_A_PAGE = 10, 10, 5
_FORM = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@for_person
def standing(visitor: Visitor) -> HttpResponse:
    """The score with what is known of it, the limit and how it is used, what moved them, and the decisions."""
    person, asked = visitor.person, visitor.request.GET
    profile = queries.profile_of(person.id)
    if profile is None:
        return visitor.show("credit/no_standing.html")
    changes, older = page(
        queries.score_changes_of(person.id), cursor=asked.get("changes") or None, limit=CHANGES_A_PAGE
    )
    decisions, earlier = page(
        queries.decisions_of(person.id), cursor=asked.get("decisions") or None, limit=DECISIONS_A_PAGE
    )
    moved_limits, before = page(
        queries.limit_changes_of(person.id), cursor=asked.get("limits") or None, limit=LIMITS_A_PAGE
    )
    mine = Order.objects.filter(person_id=person.id).select_related("merchant")
    orders = mine.in_bulk({change.order_id for change in changes if change.order_id})
    facts, pinned = queries.known_of(person, profile, at=visitor.at), queries.pinned_of(person.id)
    limits = [profile, *queries.currency_limits_of(person.id)]
    return visitor.show(
        "credit/standing.html",
        profile=profile,
        limits=[(row, row.currency in pinned) for row in limits],
        lowest=rules.SCORE_LOWEST,
        highest=rules.SCORE_HIGHEST,
        bands=_bands(profile, visitor.at) if profile.frozen_at is None else [],
        moved_limits=moved_limits,
        before=before,
        steps=rules.SCORE_STEP,
        dimensions=rules.dimensions(facts),
        facts=facts,
        changes=[(change, orders.get(change.order_id) if change.order_id else None) for change in changes],
        older=older,
        decisions=decisions,
        earlier=earlier,
        first=not any(asked.get(name) for name in ("changes", "decisions", "limits")),
    )


def _bands(profile: Profile, at: datetime) -> list[tuple[int, Money, bool]]:
    """From which score up how much may be owed at once in the person's own currency, and which band is theirs."""
    grades = queries.grades_at(at)
    return [
        (floor, Money(grades.limit_of(floor, profile.currency), profile.currency), name == profile.band)
        for floor, name, _limit in rules.BANDS
    ]


@_FORM
@for_person
def decision(visitor: Visitor, decision: str) -> HttpResponse:
    """One decision: what was looked at, why it ended so, what would change it; and objecting to it."""
    found = _mine(visitor, visitor.named("dec", decision))
    if visitor.request.method != "POST":
        return _shown(visitor, found)
    try:
        if not visitor.sends_first("object"):
            return redirect("decision", decision)
        key, text = visitor.person.id, visitor.sent("text")
        with visitor.sends_again():
            made = services.object_to(found.id, key, text, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _shown(visitor, found, refusal=refusal)
    messages.success(visitor.request, _("We have received your objection. Our staff will review the decision."))
    return redirect("concern", made.public_id)


def _mine(visitor: Visitor, key: UUID) -> Decision:
    found = queries.decisions_of(visitor.person.id).filter(pk=key).first()
    if found is None:
        raise NotFound
    return found


def _shown(visitor: Visitor, found: Decision, *, refusal: Refusal | None = None) -> HttpResponse:
    return visitor.show(
        "credit/decision.html",
        status=refusal.status if refusal else 200,
        decision=found,
        currency=found.agreement.service.currency,
        concern=found.objections.first(),
        most=asking.TEXT_MAX,
        token=new_token(),
        refusal=refusal,
        typed=visitor.sent("text"),
    )
