"""Which plans are granted at once is data: a colleague publishes a version, and it counts from then on."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kernel.actor import Actor
from kernel.money import MOST_MINOR
from kernel.refusal import Busy, FieldError, Invalid, SecondNeeded
from orders import rules
from orders.models import EasePolicy
from orders.rules import Ease

REASON_MAX = 200


def publish_ease_policy(terms: Ease, reason: str, *, after: int, by: Actor, at: datetime) -> EasePolicy:
    """These plans are offered from now on; those that were agreed stay. Whoever wrote it had read version `after`.

    Raises:
        SecondNeeded: no colleague publishes alone.
        Invalid: no policy can say that, or no reason is given; `errors` says what is wrong.
        Busy: another version was published meanwhile.
    """
    if by.alone:
        raise SecondNeeded
    judge_ease(terms, reason)
    last = EasePolicy.objects.aggregate(last=Max("version"))["last"] or 0
    if last != after:
        raise Busy
    try:
        with transaction.atomic():
            return EasePolicy.objects.create(
                version=last + 1, effective_from=at, terms=asdict(terms), reason=reason.strip(), by=str(by), at=at
            )
    except IntegrityError:
        raise Busy from None


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
    if not 0 < len(reason.strip()) <= REASON_MAX:
        errors.append(FieldError("/note", format_lazy(_("1 to {most} characters."), most=REASON_MAX)))
    return errors


def _fits(given: Sequence[int], low: int, high: int) -> bool:
    return bool(given) and all(low <= number <= high for number in given)
