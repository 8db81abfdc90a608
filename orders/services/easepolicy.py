"""Which plans are granted at once is a policy: what other terms would change, and whether they may count."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kernel.models import LIVE
from kernel.money import MOST_MINOR, Money
from kernel.refusal import FieldError, Invalid
from kernel.versions import wrong_reason
from orders import queries, rules
from orders.models import Obligation
from orders.rules import Ease

#: So many debts are looked at, the newest first, to say what other terms would change.
SAMPLE_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Eased:
    """Of so many people who owe something, how many could choose a plan now, and how many under other terms."""

    people: int
    now: int
    then: int
    #: Who could choose none before, who can choose none any more, and who is offered others than before.
    gain: int
    lose: int
    others: int


def foresee_ease(terms: Ease, *, at: datetime) -> Eased:
    """What these terms would offer to people of the live world who owe something, beside what is offered now.

    When each was granted one last is not asked.
    """
    sums: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    owed = Obligation.objects.filter(realm_id=LIVE, state__in=Obligation.OWED, order__eased_at__isnull=True)
    rows = owed.order_by("-id").values_list("person_id", "currency", "amount_minor", "paid_minor")[:SAMPLE_MAX]
    for person_id, currency, amount, paid in rows:
        sums[person_id][currency] += amount - paid
    before = queries.ease_policy(at)
    pairs = [
        tuple(
            rules.offers(ease, [Money(minor, currency) for currency, minor in each.items()]) for ease in (before, terms)
        )
        for each in sums.values()
    ]
    return Eased(
        people=len(pairs),
        now=sum(bool(now) for now, _then in pairs),
        then=sum(bool(then) for _now, then in pairs),
        gain=sum(not now and bool(then) for now, then in pairs),
        lose=sum(bool(now) and not then for now, then in pairs),
        others=sum(bool(now) and bool(then) and now != then for now, then in pairs),
    )


def judge_ease(terms: Ease, reason: str) -> None:
    """Whether these terms could be published.

    Raises:
        Invalid: they could not; `errors` says what is wrong.
    """
    errors = _wrong(terms, reason)
    if errors:
        raise Invalid(errors=errors)


def _wrong(terms: Ease, reason: str) -> list[FieldError]:
    spans = {
        "parts": (terms.parts, 2, rules.STAFF_PARTS_MAX),
        "every_days": (terms.every_days, 1, rules.STAFF_DAYS_MAX),
        "days_max": ([terms.days_max], 1, rules.STAFF_DAYS_MAX),
        "part_min_minor": ([terms.part_min_minor], 1, MOST_MINOR),
        "apart_days": ([terms.apart_days], 0, 3650),
    }
    errors = [
        FieldError(f"/{name}", format_lazy(_("Whole numbers from {low} to {high}."), low=low, high=high))
        for name, (given, low, high) in spans.items()
        if not _fits(given, low, high)
    ]
    return [*errors, *wrong_reason(reason)]


def _fits(given: Sequence[int], low: int, high: int) -> bool:
    return bool(given) and all(low <= number <= high for number in given)
