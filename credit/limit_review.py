"""Limits follow the score: each person's are looked at again every so many days, as the policy in force says."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import inbox
from credit import rules
from credit.limits import told
from credit.models import REVIEW, CurrencyLimit, LimitChange, Limited, Profile
from credit.queries import grades_at, last_changes
from kernel.sweeps import Sweep, counted
from kernel.writes import insert_all, update_all


def review_limits(realm_id: int, *, at: datetime, limit: int) -> int:
    """The limits whose day has come go where their people's scores are, and whoever has another one is told.

    One goes up only while its person owes nothing late and pays by no plan; what colleagues want to stay stays, and as
    long as it does none of the same person's goes up past what that comes to in another currency. What is owed already
    stays, be it more. Returns how many people's were looked at.

    Raises:
        Exception: the last of what went wrong with people whose limits cannot be reviewed even alone; they are due.
    """
    due = Profile.objects.filter(realm_id=realm_id, review_at__lte=at).order_by("review_at", "person_id")
    keys = list(due.values_list("person_id", flat=True)[:limit])
    return counted(keys, lambda some: _review(realm_id, some, at=at), told="limit_not_reviewed")


@transaction.atomic
def _review(realm_id: int, keys: Sequence[UUID], *, at: datetime) -> int:
    due = Profile.objects.filter(person_id__in=keys, review_at__lte=at).order_by("review_at", "person_id")
    profiles = list(due.select_for_update(skip_locked=True, no_key=True))
    grades, people = grades_at(at), {row.person_id: row for row in profiles}
    pinned: dict[UUID, list[LimitChange]] = {key: [] for key in people}
    for change in last_changes(people).values():
        pinned[change.person_id] += [change] if change.pinned else []
    others = list(CurrencyLimit.objects.filter(person_id__in=list(people)).order_by("id"))
    changes = list[LimitChange]()
    for profile in profiles:
        profile.review_at = None if profile.frozen_at else grades.review_after(at)
    limits: list[tuple[Limited, Profile]] = [(row, row) for row in profiles]
    limits += [(row, people[row.person_id]) for row in others]
    for row, profile in limits:
        changes += _reviewed(row, profile, grades, pinned[profile.person_id], at=at)
    update_all(profiles, ["limit_minor", "review_at"])
    update_all(others, ["limit_minor"])
    insert_all(changes)
    inbox.write_notices([told(change) for change in changes], realm_id=realm_id, at=at)
    return len(profiles)


def _reviewed(
    row: Limited, profile: Profile, grades: rules.Grades, pinned: Sequence[LimitChange], *, at: datetime
) -> Sequence[LimitChange]:
    """The change that this limit takes, if any; it stands on the row already. `pinned` are those of its person's."""
    if profile.frozen_at or any(one.currency == row.currency for one in pinned):
        return []
    may_rise = grades.raises and not (profile.overdue_orders or profile.eased_orders)
    wanted = rules.reviewed(row.limit_minor, grades.limit_of(profile.score, row.currency), may_rise=may_rise)
    for one in pinned:
        wanted = min(wanted, max(row.limit_minor, rules.carried(one.limit_minor, one.currency, row.currency)))
    before, row.limit_minor = row.limit_minor, wanted
    if wanted == before:
        return []
    return [
        LimitChange(
            person_id=profile.person_id,
            currency=row.currency,
            before_minor=before,
            limit_minor=wanted,
            pinned=False,
            reason=f"score {profile.score}",
            by=REVIEW,
            at=at,
        )
    ]


DUE = Sweep(
    name="limits",
    act=review_limits,
    first="SELECT min(review_at) FROM credit_profile WHERE realm_id = %(realm)s AND review_at IS NOT NULL",
    work=Profile,
    column="review_at",
)
