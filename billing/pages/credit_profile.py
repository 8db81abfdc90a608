"""Credit pages: score and limit with their changes, decisions with their reasons, and objections to them."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, person_page
from credit import queries, rules
from credit.models import Decision, Profile
from kernel.forms import new_form_token
from kernel.money import Money
from kernel.paging import paginate
from kernel.refusal import NotFound, Refusal
from orders import rules as asking
from orders import services
from orders.models import Order
from orders.order_history import written_off_by
from orders.queries import last_overdue_end, objection_to

CHANGES_A_PAGE, DECISIONS_A_PAGE, LIMITS_A_PAGE = 10, 10, 5
_get_or_post = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@person_page
def credit_profile(visitor: Visitor) -> HttpResponse:
    """Score and facts, limits and their use, recent changes and decisions."""
    person, params = visitor.person, visitor.request.GET
    profile = queries.profile_of(person.id)
    if profile is None:
        return visitor.render("credit/no_standing.html")
    changes, changes_cursor = paginate(
        queries.score_changes_of(person.id), cursor=params.get("changes") or None, limit=CHANGES_A_PAGE
    )
    decisions, decisions_cursor = paginate(
        queries.decisions_of(person.id), cursor=params.get("decisions") or None, limit=DECISIONS_A_PAGE
    )
    limit_changes, limits_cursor = paginate(
        queries.limit_changes_of(person.id), cursor=params.get("limits") or None, limit=LIMITS_A_PAGE
    )
    own_orders = Order.objects.filter(person_id=person.id).select_related("merchant")
    orders = own_orders.in_bulk({change.order_id for change in changes if change.order_id})
    facts = queries.credit_record_of(person, profile, overdue_until=last_overdue_end(person.id), at=visitor.at)
    pinned = queries.pinned_currencies_of(person.id)
    limits, written_off = [profile, *queries.currency_limits_of(person.id)], written_off_by(person.id)
    return visitor.render(
        "credit/standing.html",
        profile=profile,
        limits=[(row, row.currency in pinned, written_off.get(row.currency)) for row in limits],
        lowest=rules.SCORE_LOWEST,
        highest=rules.SCORE_HIGHEST,
        bands=_limit_bands(profile, visitor.at) if profile.frozen_at is None else [],
        limit_changes=limit_changes,
        limits_cursor=limits_cursor,
        steps=rules.SCORE_STEP,
        dimensions=rules.dimensions(facts),
        facts=facts,
        changes=[(change, orders.get(change.order_id) if change.order_id else None) for change in changes],
        changes_cursor=changes_cursor,
        decisions=decisions,
        decisions_cursor=decisions_cursor,
        first=not any(params.get(name) for name in ("changes", "decisions", "limits")),
    )


def _limit_bands(profile: Profile, at: datetime) -> list[tuple[int, Money, bool]]:
    """Score bands: minimum score, limit in the person's currency, and whether it is the person's band."""
    grades = queries.limit_terms_at(at)
    return [
        (floor, Money(grades.limit_of(floor, profile.currency), profile.currency), name == profile.band)
        for floor, name, _limit in rules.BANDS
    ]


@_get_or_post
@person_page
def decision(visitor: Visitor, decision: str) -> HttpResponse:
    """A decision with its inputs and reasons; POST objects to it."""
    row = _own_decision(visitor, visitor.parse_id("dec", decision))
    if visitor.request.method != "POST":
        return _render_decision(visitor, row)
    try:
        if not visitor.claim_submission("object"):
            return redirect("decision", decision)
        key, text = visitor.person.id, visitor.posted("text")
        with visitor.allow_resubmission():
            concern = services.object_to_decision(row.id, key, text, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _render_decision(visitor, row, refusal=refusal)
    messages.success(visitor.request, _("We have received your objection. Our staff will review the decision."))
    return redirect("concern", concern.public_id)


def _own_decision(visitor: Visitor, key: UUID) -> Decision:
    row = queries.decisions_of(visitor.person.id).filter(pk=key).first()
    if row is None:
        raise NotFound
    return row


def _render_decision(visitor: Visitor, decision: Decision, *, refusal: Refusal | None = None) -> HttpResponse:
    return visitor.render(
        "credit/decision.html",
        status=refusal.status if refusal else 200,
        decision=decision,
        currency=decision.agreement.service.currency,
        concern=objection_to(decision),
        most=asking.TEXT_MAX,
        token=new_form_token(),
        refusal=refusal,
        typed=visitor.posted("text"),
    )
