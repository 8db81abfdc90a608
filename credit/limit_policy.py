"""The policy for credit limits: preview and validate other terms."""

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from credit import rules
from credit.models import Decision, Profile
from credit.queries import latest_limit_changes, limit_terms_at
from credit.rules import Facts, LimitTerms
from kernel.forms import plain_amount
from kernel.models import LIVE
from kernel.money import Money
from kernel.policy_versions import reason_errors
from kernel.refusal import FieldError, Invalid

#: How many decisions and profiles the preview looks at, newest first.
SAMPLE_MAX = 5_000
OPEN_ORDERS_MAX, REVIEW_DAYS_MAX = 1_000, 366


@dataclass(frozen=True, slots=True)
class LimitTermsPreview:
    """What other terms would have decided, and which limits they would lead to at the next review."""

    decisions: int
    #: Approved decisions that these terms would have refused, and the other way round.
    refused: int
    approved: int
    people: int
    higher: int
    lower: int
    #: People who already use more than their new limit.
    beyond: int


def preview_limit_terms(terms: LimitTerms, *, at: datetime) -> LimitTermsPreview:
    """What these terms would change for the latest orders and profiles in live mode."""
    current_terms = limit_terms_at(at)
    decisions = [_replay_decision(row, current_terms, terms) for row in _recent_decisions()]
    reviews = [_simulate_review(row, terms) for row in _recent_profiles()]
    return LimitTermsPreview(
        decisions=len(decisions),
        refused=sum(was and not then for was, then in decisions),
        approved=sum(then and not was for was, then in decisions),
        people=len(reviews),
        higher=sum(then > was for was, then, _used in reviews),
        lower=sum(then < was for was, then, _used in reviews),
        beyond=sum(then < was and used > then for was, then, used in reviews),
    )


def validate_limit_terms(terms: LimitTerms, reason: str) -> None:
    """Check that these terms can be published.

    Raises:
        Invalid: they cannot; `errors` says why.
    """
    bands = [name for _floor, name, _limit in rules.BANDS]
    max_text = plain_amount(Money(rules.LIMIT_MAX_MINOR))
    errors = [
        FieldError(f"/{name}", format_lazy(_("Enter an amount from 0 to {most}."), most=max_text))
        for name in bands
        if not 0 <= terms.limits.get(name, -1) <= rules.LIMIT_MAX_MINOR
    ]
    errors += [
        FieldError(f"/{better}", _("A higher score band cannot have a lower limit."))
        for worse, better in pairwise(bands)
        if not errors and terms.limits[better] < terms.limits[worse]
    ]
    for name, max_value in (("open_orders_max", OPEN_ORDERS_MAX), ("review_days", REVIEW_DAYS_MAX)):
        if not 1 <= getattr(terms, name) <= max_value:
            errors.append(
                FieldError(f"/{name}", format_lazy(_("Enter a whole number from 1 to {most}."), most=max_value))
            )
    errors += reason_errors(reason)
    if errors:
        raise Invalid(errors=errors)


def _recent_decisions() -> list[Decision]:
    rows = Decision.objects.filter(realm_id=LIVE, occasion=Decision.Occasion.ORDER)
    return list(rows.select_related("agreement__service").order_by("-id")[:SAMPLE_MAX])


def _replay_decision(row: Decision, now: LimitTerms, then: LimitTerms) -> tuple[bool, bool]:
    """Whether it was approved, and whether it would have been; the limit changes only if it followed the score."""
    facts, currency = Facts(**row.inputs), row.agreement.service.currency
    follows_score = facts.limit_minor == now.limit_of(facts.score, currency)
    limit = then.limit_of(facts.score, currency) if follows_score else facts.limit_minor
    other_facts = replace(facts, limit_minor=limit, open_orders_max=then.open_orders_max)
    return row.approved, rules.assess(other_facts).approved


def _recent_profiles() -> list[Profile]:
    rows = Profile.objects.filter(realm_id=LIVE, frozen_at__isnull=True).order_by("-person_id")[:SAMPLE_MAX]
    people = {row.person_id: row for row in rows}
    pinned = {person for (person, currency), row in latest_limit_changes(people).items()
              if row.pinned and currency == people[person].currency}  # fmt: skip
    return [row for key, row in people.items() if key not in pinned]


def _simulate_review(row: Profile, terms: LimitTerms) -> tuple[int, int, int]:
    """The limit, what a review under these terms would set it to, and how much of it is in use."""
    may_rise = terms.raises and not (row.overdue_orders or row.eased_orders)
    target = terms.limit_of(row.score, row.currency)
    return row.limit_minor, rules.limit_after_review(row.limit_minor, target, may_rise=may_rise), row.used_minor
