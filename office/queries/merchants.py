"""A merchant as a whole: the way it came in, what it offers, who holds its keys and where its money goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from billing import statements
from billing.models import PayoutAccount, Settlement
from merchants.models import ApiKey, Merchant, MerchantCheck, MerchantEvent, Service
from merchants.rules import CHECKS
from portal.models import Member
from portal.queries import business_of, team_of

SHOWN_MAX = 50


@dataclass(frozen=True, slots=True)
class MerchantStory:
    """One merchant, in one of its two modes."""

    merchant: Merchant
    #: The same business in the other mode.
    other: Merchant | None
    history: Sequence[MerchantEvent]
    #: Each thing to look into, with the last word on it.
    checks: Sequence[tuple[str, MerchantCheck | None]]
    services: Sequence[Service]
    keys: Sequence[ApiKey]
    team: Sequence[Member]
    account: PayoutAccount | None
    account_to_come: PayoutAccount | None
    account_asked: PayoutAccount | None
    settlements: Sequence[Settlement]

    @property
    def whole(self) -> bool:
        """Whether every check came out well."""
        return all(row is not None and row.passed for _name, row in self.checks)


def story_of(merchant_id: UUID, *, at: datetime) -> MerchantStory | None:
    """All of it, in a number of questions that does not grow with it."""
    business = business_of(merchant_id)
    if business is None:
        return None
    merchant = business.live if business.live.id == merchant_id else business.sandbox
    last = {row.name: row for row in MerchantCheck.objects.filter(merchant=merchant).order_by("id")}
    return MerchantStory(
        merchant=merchant,
        other=business.sandbox if merchant == business.live else business.live,
        history=list(MerchantEvent.objects.filter(subject=merchant).order_by("-seq")[:SHOWN_MAX]),
        checks=[(name, last.get(name)) for name in CHECKS],
        services=list(Service.objects.filter(merchant=merchant)[:SHOWN_MAX]),
        keys=list(ApiKey.objects.filter(merchant=merchant).order_by("-id")[:SHOWN_MAX]),
        team=list(team_of(business.live.id)[:SHOWN_MAX]),
        account=statements.account_in_force(merchant_id, at=at),
        account_to_come=statements.account_to_come(merchant_id, at=at),
        account_asked=statements.account_asked(merchant_id),
        settlements=list(statements.settlements_of(merchant_id).order_by("-id")[:10]),
    )


def waiting() -> list[tuple[Merchant, int, int]]:
    """Who is on the way in, or suspended: the longest waiting first, with how many checks came out well, of how many.

    Their checks are read together.
    """
    rows = list(Merchant.objects.filter(~Q(state__in=["active", "refused"])).order_by("id")[:SHOWN_MAX])
    passed: dict[UUID, dict[str, bool]] = {row.id: {} for row in rows}
    checks = MerchantCheck.objects.filter(merchant__in=rows).order_by("id")
    for merchant_id, name, well in checks.values_list("merchant_id", "name", "passed"):
        passed[merchant_id][name] = well
    return [(row, sum(passed[row.id].values()), len(CHECKS)) for row in rows]


def newest() -> list[Merchant]:
    """Who was let in last."""
    rows = Merchant.objects.filter(realm__mode="live", state__in=["active", "refused"])
    return list(rows.order_by("-id")[:SHOWN_MAX])
