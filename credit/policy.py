"""How much may be owed at once is a policy: what other terms would change, and whether they may count."""

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from credit import rules
from credit.models import Decision, Profile
from credit.queries import grades_at, last_changes
from credit.rules import Facts, Grades
from kernel.forms import plain
from kernel.models import LIVE
from kernel.money import Money
from kernel.refusal import FieldError, Invalid
from kernel.versions import wrong_reason

#: So many decisions, and so many people, are looked at to say what other terms would change, the newest first.
SAMPLE_MAX = 5_000
OPEN_ORDERS_MOST, REVIEW_DAYS_MOST = 1_000, 366


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What other terms would have decided, and to whose limits they would lead at their next review."""

    decisions: int
    #: Approved then and refused by these terms; and the other way round.
    refused: int
    approved: int
    people: int
    higher: int
    lower: int
    #: Who would have to pay back before anything new: more is in use than they might owe.
    beyond: int


def foresee_limits(terms: Grades, *, at: datetime) -> Foreseen:
    """What these terms would change in the live world, by its latest orders and its latest people."""
    now = grades_at(at)
    judged = [_judged(row, now, terms) for row in _decisions()]
    moved = [_moved(row, terms) for row in _profiles()]
    return Foreseen(
        decisions=len(judged),
        refused=sum(was and not then for was, then in judged),
        approved=sum(then and not was for was, then in judged),
        people=len(moved),
        higher=sum(then > was for was, then, _used in moved),
        lower=sum(then < was for was, then, _used in moved),
        beyond=sum(then < was and used > then for was, then, used in moved),
    )


def judge_limits(terms: Grades, reason: str) -> None:
    """Whether these terms could be published.

    Raises:
        Invalid: they could not; `errors` says what is wrong.
    """
    bands = [name for _floor, name, _limit in rules.BANDS]
    most = plain(Money(rules.LIMIT_MOST_MINOR))
    errors = [
        FieldError(f"/{name}", format_lazy(_("Enter an amount from 0 to {most}."), most=most))
        for name in bands
        if not 0 <= terms.limits.get(name, -1) <= rules.LIMIT_MOST_MINOR
    ]
    errors += [
        FieldError(f"/{better}", _("A higher score band cannot have a lower limit."))
        for worse, better in pairwise(bands)
        if not errors and terms.limits[better] < terms.limits[worse]
    ]
    for name, most_of in (("open_orders_max", OPEN_ORDERS_MOST), ("review_days", REVIEW_DAYS_MOST)):
        if not 1 <= getattr(terms, name) <= most_of:
            errors.append(
                FieldError(f"/{name}", format_lazy(_("Enter a whole number from 1 to {most}."), most=most_of))
            )
    errors += wrong_reason(reason)
    if errors:
        raise Invalid(errors=errors)


def _decisions() -> list[Decision]:
    rows = Decision.objects.filter(realm_id=LIVE, occasion=Decision.Occasion.ORDER)
    return list(rows.select_related("agreement__service").order_by("-id")[:SAMPLE_MAX])


def _judged(row: Decision, now: Grades, then: Grades) -> tuple[bool, bool]:
    """How it ended, and how it would have: with another limit where that followed from the score."""
    facts, currency = Facts(**row.inputs), row.agreement.service.currency
    follows = facts.limit_minor == now.limit_of(facts.score, currency)
    limit = then.limit_of(facts.score, currency) if follows else facts.limit_minor
    other = replace(facts, limit_minor=limit, open_orders_max=then.open_orders_max)
    return row.approved, rules.assess(other).approved


def _profiles() -> list[Profile]:
    rows = Profile.objects.filter(realm_id=LIVE, frozen_at__isnull=True).order_by("-person_id")[:SAMPLE_MAX]
    people = {row.person_id: row for row in rows}
    pinned = {person for (person, currency), row in last_changes(people).items()
              if row.pinned and currency == people[person].currency}  # fmt: skip
    return [row for key, row in people.items() if key not in pinned]


def _moved(row: Profile, terms: Grades) -> tuple[int, int, int]:
    """Their limit, what a review by these terms would make of it, and how much of it is in use."""
    may_rise = terms.raises and not (row.overdue_orders or row.eased_orders)
    wanted = terms.limit_of(row.score, row.currency)
    return row.limit_minor, rules.reviewed(row.limit_minor, wanted, may_rise=may_rise), row.used_minor
