"""Change a person's credit limit; needs two members of staff."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import notices
from accounts.notice_rules import Value
from credit import rules
from credit.models import LimitChange
from credit.queries import is_pinned, limited_in
from credit.services import lock_profile
from kernel.actor import Actor
from kernel.forms import plain_amount
from kernel.money import Money
from kernel.refusal import ApprovalRequired, FieldError, Invalid, NotFound


@transaction.atomic
def change_limit(
    person_id: UUID, limit_minor: int, reason: str, *, currency: str = "", pinned: bool = True, by: Actor, at: datetime
) -> LimitChange:
    """Set the person's limit and notify them. Existing debt is not affected, even above the new limit.

    The default `currency` is the person's own. Unless `pinned`, the limit follows the score again from the next review.
    If the amount stays the same, only `pinned` changes and nobody is notified.

    Raises:
        NotFound: the person has no profile or no limit in this currency, or their data was erased.
        ApprovalRequired: it needs two members of staff.
        Invalid: the amount is negative or above the maximum, or nothing changes.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    profile = lock_profile(person_id)
    limited = profile and limited_in(profile, currency or profile.currency)
    if profile is None or limited is None:
        raise NotFound
    max_minor = rules.limit_in_currency(rules.LIMIT_MAX_MINOR, limited.currency)
    is_unchanged = limit_minor == limited.limit_minor
    if not 0 <= limit_minor <= max_minor or (is_unchanged and pinned == is_pinned(person_id, limited.currency)):
        words = format_lazy(
            _("Enter a limit different from the current one, up to {most}."),
            most=plain_amount(Money(max_minor, limited.currency)),
        )
        raise Invalid(errors=[FieldError("/limit", words)])
    change = LimitChange.objects.create(
        person_id=person_id,
        currency=limited.currency,
        before_minor=limited.limit_minor,
        limit_minor=limit_minor,
        pinned=pinned,
        reason=reason,
        by=str(by),
        at=at,
    )
    if not is_unchanged:
        type(limited)._default_manager.filter(pk=limited.pk).update(limit_minor=limit_minor)
        notices.write_notices([limit_notice(change)], realm_id=profile.realm_id, at=at)
    return change


def limit_notice(change: LimitChange) -> notices.NewNotice:
    """The notice to the person."""
    limit, before = (Money(minor, change.currency) for minor in (change.limit_minor, change.before_minor))
    link = f"{settings.BASE_URL}/credit/"
    values: dict[str, Value] = {"amount": limit, "before": before, "when": change.at, "link": link}
    return notices.NewNotice(
        person_id=change.person_id, stage="limit_changed", about=change.id, due_at=change.at, values=values
    )
