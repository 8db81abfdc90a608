"""How much a person may owe at once, as two colleagues set it."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import inbox
from accounts.wording import Value
from credit import rules
from credit.models import LimitChange
from credit.queries import is_pinned, limited_in
from credit.services import lock_profile
from kernel.actor import Actor
from kernel.forms import plain
from kernel.money import Money
from kernel.refusal import FieldError, Invalid, NotFound, SecondNeeded


@transaction.atomic
def change_limit(
    person_id: UUID, limit_minor: int, reason: str, *, currency: str = "", pinned: bool = True, by: Actor, at: datetime
) -> LimitChange:
    """From now on the person may owe so much at once, and is told so. What they owe already stays, be it more.

    Without a `currency` it is their own one that is meant. Unless it is `pinned` it follows their score from the next
    review on; of the amount that it is already that alone may be changed, and then nobody is told.

    Raises:
        NotFound: the person has no profile or no limit in this currency, or has left for good.
        SecondNeeded: no colleague sets a limit alone.
        Invalid: it is less than nothing, more than anybody's, or what it is already and stays or follows as before.
    """
    if by.alone:
        raise SecondNeeded
    profile = lock_profile(person_id)
    limited = profile and limited_in(profile, currency or profile.currency)
    if profile is None or limited is None:
        raise NotFound
    most = rules.in_currency(rules.LIMIT_MOST_MINOR, limited.currency)
    same = limit_minor == limited.limit_minor
    if not 0 <= limit_minor <= most or (same and pinned == is_pinned(person_id, limited.currency)):
        words = format_lazy(
            _("Enter a limit different from the current one, up to {most}."), most=plain(Money(most, limited.currency))
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
    if not same:
        type(limited)._default_manager.filter(pk=limited.pk).update(limit_minor=limit_minor)
        inbox.write_notices([told(change)], realm_id=profile.realm_id, at=at)
    return change


def told(change: LimitChange) -> inbox.Item:
    """What the person hears of it."""
    limit, before = (Money(minor, change.currency) for minor in (change.limit_minor, change.before_minor))
    link = f"{settings.BASE_URL}/credit/"
    values: dict[str, Value] = {"amount": limit, "before": before, "when": change.at, "link": link}
    return inbox.Item(
        person_id=change.person_id, stage="limit_changed", about=change.id, due_at=change.at, values=values
    )
