"""Finds events that merchant staff should be emailed about, and queues a letter to each recipient.

Each event is queued once, also with two workers at the same moment. An event without a recipient waits for one.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from billing.models import Case, Payout, PayoutAccount
from billing.settlement_queries import PAYOUT_RETURNED
from merchants.models import WebhookEndpoint
from portal import queries, rules
from portal.models import Letter, Member

_ENDPOINT, _ACCOUNT, _PAYOUT = Letter.Kind.ENDPOINT, Letter.Kind.ACCOUNT, Letter.Kind.PAYOUT
#: By kind of letter: the model it is about, and the roles that receive it.
RECIPIENTS: dict[str, tuple[type[WebhookEndpoint] | type[PayoutAccount] | type[Payout], frozenset[rules.Role]]] = {
    _ENDPOINT: (WebhookEndpoint, rules.DEVELOPER_ROLES),
    _ACCOUNT: (PayoutAccount, rules.OWNER_ROLES),
    _PAYOUT: (Payout, rules.FINANCE_ROLES),
}


@transaction.atomic
def queue_endpoint_letters(*, at: datetime, limit: int) -> int:
    """Queue letters to owners and developers about endpoints disabled for failing. Returns how many endpoints."""
    disabled = WebhookEndpoint.objects.filter(
        ~Exists(_letters_about_row(_ENDPOINT).filter(happened_at=OuterRef("disabled_at"))),
        _has_recipient(_ENDPOINT),
        state=WebhookEndpoint.State.DISABLED,
        disabled_because__in=rules.AUTO_DISABLED_REASONS,
    )
    found = disabled.order_by("id")[:limit]
    return _create_letters(_ENDPOINT, [(row.id, row.merchant_id, row.disabled_at or at) for row in found], at=at)


@transaction.atomic
def queue_account_letters(*, at: datetime, limit: int) -> int:
    """Queue letters to owners about payout accounts requested or approved. Returns how many accounts."""
    letters = _letters_about_row(_ACCOUNT)
    requested = Q(~Exists(letters.filter(happened_at=OuterRef("asked_at"))), state=PayoutAccount.State.ASKED)
    approved = Q(~Exists(letters.filter(happened_at=OuterRef("decided_at"))), state=PayoutAccount.State.AGREED)
    found = PayoutAccount.objects.filter(requested | approved, _has_recipient(_ACCOUNT)).order_by("id")[:limit]
    return _create_letters(
        _ACCOUNT, [(row.id, row.merchant_id, row.decided_at or row.asked_at) for row in found], at=at
    )


@transaction.atomic
def queue_payout_letters(*, at: datetime, limit: int) -> int:
    """Queue letters to owners and finance about returned payouts credited to the merchant again. Returns how many.

    A payout is reported once, however often the bank returns it.
    """
    cases = Case.objects.filter(kind=PAYOUT_RETURNED, resolution=Case.Resolution.MERCHANT)
    returned = Payout.objects.filter(pk__in=cases.values("payout_id")).filter(
        ~Exists(_letters_about_row(_PAYOUT)), _has_recipient(_PAYOUT)
    )
    found = returned.annotate(judged_at=Max("cases__closed_at", filter=Q(cases__in=cases))).order_by("id")[:limit]
    return _create_letters(_PAYOUT, [(row.id, row.merchant_id, row.judged_at) for row in found], at=at)


def _letters_about_row(kind: Letter.Kind) -> QuerySet[Letter]:
    """Subquery: letters of this kind about the outer row."""
    return Letter.objects.filter(kind=kind, about=OuterRef("pk"))


def _has_recipient(kind: Letter.Kind) -> Exists:
    """Subquery: whether the outer row's merchant has a member who receives such letters."""
    return Exists(queries.team_subquery("merchant").filter(role__in=RECIPIENTS[kind][1]))


def _create_letters(kind: Letter.Kind, found: Iterable[tuple[UUID, UUID, datetime]], *, at: datetime) -> int:
    """Create a letter for each `(about, merchant, happened_at)` and recipient. Returns how many events."""
    rows, letters = list(found), []
    for about, merchant_id, moment in rows:
        business = queries.business_of(merchant_id)
        team = Member.objects.filter(merchant=business.live, removed_at__isnull=True) if business else ()
        fields = {"kind": kind, "about": about, "happened_at": moment, "at": at, "next_at": at}
        letters += [Letter(user_id=member.user_id, **fields) for member in team if member.role in RECIPIENTS[kind][1]]
    Letter.objects.bulk_create(letters, ignore_conflicts=True)  # another worker may have queued them at the same moment
    return len(rows)
