"""The policy for plans granted without review: preview and validate other terms."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kernel.models import LIVE
from kernel.money import AMOUNT_MINOR_MAX, Money
from kernel.policy_versions import reason_errors
from kernel.refusal import FieldError, Invalid
from orders import queries, rules
from orders.models import Obligation
from orders.rules import HardshipTerms

#: How many debts the preview looks at, newest first.
SAMPLE_MAX = 5_000


@dataclass(frozen=True, slots=True)
class HardshipTermsPreview:
    """How many people with debts could choose a plan now, and how many under other terms."""

    people: int
    now: int
    then: int
    #: People who could choose none before, who could choose none any more, and who would be offered other plans.
    gain: int
    lose: int
    others: int


def preview_hardship_terms(terms: HardshipTerms, *, at: datetime) -> HardshipTermsPreview:
    """Compare the plans offered to people with debts in live mode now and under these terms.

    Ignores when each person was last granted a plan.
    """
    sums: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    owed = Obligation.objects.filter(realm_id=LIVE, state__in=Obligation.OWED, order__eased_at__isnull=True)
    rows = owed.order_by("-id").values_list("person_id", "currency", "amount_minor", "paid_minor")[:SAMPLE_MAX]
    for person_id, currency, amount, paid in rows:
        sums[person_id][currency] += amount - paid
    before = queries.hardship_terms_at(at)
    pairs = [
        tuple(
            rules.plan_offers(policy, [Money(minor, currency) for currency, minor in each.items()])
            for policy in (before, terms)
        )
        for each in sums.values()
    ]
    return HardshipTermsPreview(
        people=len(pairs),
        now=sum(bool(now) for now, _then in pairs),
        then=sum(bool(then) for _now, then in pairs),
        gain=sum(not now and bool(then) for now, then in pairs),
        lose=sum(bool(now) and not then for now, then in pairs),
        others=sum(bool(now) and bool(then) and now != then for now, then in pairs),
    )


def validate_hardship_terms(terms: HardshipTerms, reason: str) -> None:
    """Check that these terms can be published.

    Raises:
        Invalid: they cannot; `errors` says why.
    """
    errors = _find_errors(terms, reason)
    if errors:
        raise Invalid(errors=errors)


def _find_errors(terms: HardshipTerms, reason: str) -> list[FieldError]:
    spans = {
        "parts": (terms.parts, 2, rules.STAFF_PARTS_MAX),
        "every_days": (terms.every_days, 1, rules.STAFF_DAYS_MAX),
        "days_max": ([terms.days_max], 1, rules.STAFF_DAYS_MAX),
        "part_min_minor": ([terms.part_min_minor], 1, AMOUNT_MINOR_MAX),
        "apart_days": ([terms.apart_days], 0, 3650),
    }
    errors = [
        FieldError(f"/{name}", format_lazy(_("Whole numbers from {low} to {high}."), low=low, high=high))
        for name, (given, low, high) in spans.items()
        if not _in_range(given, low, high)
    ]
    return [*errors, *reason_errors(reason)]


def _in_range(given: Sequence[int], low: int, high: int) -> bool:
    return bool(given) and all(low <= number <= high for number in given)
