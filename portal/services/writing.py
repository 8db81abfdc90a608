"""What happened to a business is found where it stands, and a letter is written to each who hears of such things.

Once: of two workers at the same moment one writes. Where there is nobody to write to yet, it waits for them.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from billing.models import Case, Payout, PayoutAccount
from billing.statements import GONE_BACK
from merchants.models import WebhookEndpoint
from portal import queries, rules
from portal.models import Letter, Member

_ENDPOINT, _ACCOUNT, _PAYOUT = Letter.Kind.ENDPOINT, Letter.Kind.ACCOUNT, Letter.Kind.PAYOUT
#: What a letter about a business is about, and who there hears of it.
CONCERNS: dict[str, tuple[type[WebhookEndpoint] | type[PayoutAccount] | type[Payout], frozenset[rules.Role]]] = {
    _ENDPOINT: (WebhookEndpoint, rules.BUILDERS),
    _ACCOUNT: (PayoutAccount, rules.OWNER),
    _PAYOUT: (Payout, rules.MONEY),
}


@transaction.atomic
def write_of_endpoints(*, at: datetime, limit: int) -> int:
    """Owners and developers are written to about endpoints that were switched off for failing. How many endpoints."""
    off = WebhookEndpoint.objects.filter(
        ~Exists(_letters(_ENDPOINT).filter(happened_at=OuterRef("disabled_at"))),
        _somebody(_ENDPOINT),
        state=WebhookEndpoint.State.DISABLED,
        disabled_because__in=rules.SWITCHED_OFF,
    )
    found = off.order_by("id")[:limit]
    return _write(_ENDPOINT, [(row.id, row.merchant_id, row.disabled_at or at) for row in found], at=at)


@transaction.atomic
def write_of_accounts(*, at: datetime, limit: int) -> int:
    """Owners are written to when another payout account was asked for, and when it was agreed to. How many accounts."""
    letters = _letters(_ACCOUNT)
    asked = Q(~Exists(letters.filter(happened_at=OuterRef("asked_at"))), state=PayoutAccount.State.ASKED)
    agreed = Q(~Exists(letters.filter(happened_at=OuterRef("decided_at"))), state=PayoutAccount.State.AGREED)
    found = PayoutAccount.objects.filter(asked | agreed, _somebody(_ACCOUNT)).order_by("id")[:limit]
    return _write(_ACCOUNT, [(row.id, row.merchant_id, row.decided_at or row.asked_at) for row in found], at=at)


@transaction.atomic
def write_of_payouts(*, at: datetime, limit: int) -> int:
    """Owners and finance are written to when a payout that came back is theirs again. How many payouts.

    That is so once for a payout, however often its bank says that it came back.
    """
    again = Case.objects.filter(kind=GONE_BACK, resolution=Case.Resolution.MERCHANT)
    back = Payout.objects.filter(pk__in=again.values("payout_id")).filter(
        ~Exists(_letters(_PAYOUT)), _somebody(_PAYOUT)
    )
    found = back.annotate(judged_at=Max("cases__closed_at", filter=Q(cases__in=again))).order_by("id")[:limit]
    return _write(_PAYOUT, [(row.id, row.merchant_id, row.judged_at) for row in found], at=at)


def _letters(kind: Letter.Kind) -> QuerySet[Letter]:
    """Inside another question: those of this kind about its row."""
    return Letter.objects.filter(kind=kind, about=OuterRef("pk"))


def _somebody(kind: Letter.Kind) -> Exists:
    """Inside another question: whether anybody works for the row's merchant who hears of such things."""
    return Exists(queries.team_behind("merchant").filter(role__in=CONCERNS[kind][1]))


def _write(kind: Letter.Kind, found: Iterable[tuple[UUID, UUID, datetime]], *, at: datetime) -> int:
    """A letter about each of these, of a merchant, since when, to all of its team who hear of it. How many they are."""
    rows, letters = list(found), []
    for about, merchant_id, moment in rows:
        business = queries.business_of(merchant_id)
        team = Member.objects.filter(merchant=business.live, removed_at__isnull=True) if business else ()
        told = {"kind": kind, "about": about, "happened_at": moment, "at": at, "next_at": at}
        letters += [Letter(user_id=member.user_id, **told) for member in team if member.role in CONCERNS[kind][1]]
    Letter.objects.bulk_create(letters, ignore_conflicts=True)  # of two workers at once one writes
    return len(rows)
