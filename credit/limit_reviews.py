"""Periodic reviews: limits follow the score, at the interval that the policy sets."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import notices
from credit import rules
from credit.limits import limit_notice
from credit.models import REVIEW_ACTOR, CurrencyLimit, LimitChange, Limited, Profile
from credit.queries import latest_limit_changes, limit_terms_at
from kernel.bulk_writes import insert_all, update_all
from kernel.sweeps import Sweep, count_bisecting


def review_limits(realm_id: int, *, at: datetime, limit: int) -> int:
    """Review the limits that are due, and notify people whose limit changes. Returns how many people were reviewed.

    A limit rises only if nothing is overdue and no hardship plan is running. Pinned limits stay, and while one is
    pinned the person's other limits do not rise above what it converts to. Existing debt is not affected.

    Raises:
        Exception: the last error of people whose limits could not be reviewed even alone; they are still due.
    """
    due = Profile.objects.filter(realm_id=realm_id, review_at__lte=at).order_by("review_at", "person_id")
    keys = list(due.values_list("person_id", flat=True)[:limit])
    return count_bisecting(keys, lambda some: _review(realm_id, some, at=at), event="limit_not_reviewed")


@transaction.atomic
def _review(realm_id: int, keys: Sequence[UUID], *, at: datetime) -> int:
    due = Profile.objects.filter(person_id__in=keys, review_at__lte=at).order_by("review_at", "person_id")
    profiles = list(due.select_for_update(skip_locked=True, no_key=True))
    limit_terms, profiles_by_person = limit_terms_at(at), {row.person_id: row for row in profiles}
    pinned: dict[UUID, list[LimitChange]] = {key: [] for key in profiles_by_person}
    for change in latest_limit_changes(profiles_by_person).values():
        pinned[change.person_id] += [change] if change.pinned else []
    currency_limits = list(CurrencyLimit.objects.filter(person_id__in=list(profiles_by_person)).order_by("id"))
    changes = list[LimitChange]()
    for profile in profiles:
        profile.review_at = None if profile.frozen_at else limit_terms.review_after(at)
    limits: list[tuple[Limited, Profile]] = [(row, row) for row in profiles]
    limits += [(row, profiles_by_person[row.person_id]) for row in currency_limits]
    for row, profile in limits:
        changes += _review_limit(row, profile, limit_terms, pinned[profile.person_id], at=at)
    update_all(profiles, ["limit_minor", "review_at"])
    update_all(currency_limits, ["limit_minor"])
    insert_all(changes)
    notices.write_notices([limit_notice(change) for change in changes], realm_id=realm_id, at=at)
    return len(profiles)


def _review_limit(
    row: Limited, profile: Profile, limit_terms: rules.LimitTerms, pinned: Sequence[LimitChange], *, at: datetime
) -> Sequence[LimitChange]:
    """Set the new limit on the row and return the change, if any. `pinned`: the person's pinned limits."""
    if profile.frozen_at or any(pin.currency == row.currency for pin in pinned):
        return []
    may_rise = limit_terms.raises and not (profile.overdue_orders or profile.eased_orders)
    new_limit = rules.limit_after_review(
        row.limit_minor, limit_terms.limit_of(profile.score, row.currency), may_rise=may_rise
    )
    for pin in pinned:
        new_limit = min(
            new_limit, max(row.limit_minor, rules.convert_limit(pin.limit_minor, pin.currency, row.currency))
        )
    old_limit, row.limit_minor = row.limit_minor, new_limit
    if new_limit == old_limit:
        return []
    return [
        LimitChange(
            person_id=profile.person_id,
            currency=row.currency,
            before_minor=old_limit,
            limit_minor=new_limit,
            pinned=False,
            reason=f"score {profile.score}",
            by=REVIEW_ACTOR,
            at=at,
        )
    ]


LIMIT_REVIEW_SWEEP = Sweep(
    name="limits",
    process_batch=review_limits,
    first_due_sql="SELECT min(review_at) FROM credit_profile WHERE realm_id = %(realm)s AND review_at IS NOT NULL",
    model=Profile,
    due_column="review_at",
)
