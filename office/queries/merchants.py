"""One merchant for the console: onboarding, services, keys, team, payout accounts; and lists of merchants."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from billing import settlement_queries
from billing.models import PayoutAccount, Settlement
from merchants.models import ApiKey, Merchant, MerchantCheck, MerchantEvent, Service
from merchants.rules import CHECKS
from portal.models import Member
from portal.queries import business_of, team_of

SHOWN_MAX = 50


@dataclass(frozen=True, slots=True)
class ServiceTerms:
    """A service with its fee in effect, and the scheduled one that is still to come."""

    service: Service
    fee_bps: int
    upcoming_fee: tuple[int, datetime] | None


@dataclass(frozen=True, slots=True)
class MerchantDetail:
    """One merchant, in one of its two modes."""

    merchant: Merchant
    #: The same business in the other mode.
    twin: Merchant | None
    history: Sequence[MerchantEvent]
    #: Each check with its latest result.
    checks: Sequence[tuple[str, MerchantCheck | None]]
    services: Sequence[ServiceTerms]
    keys: Sequence[ApiKey]
    team: Sequence[Member]
    account: PayoutAccount | None
    upcoming_account: PayoutAccount | None
    requested_account: PayoutAccount | None
    settlements: Sequence[Settlement]

    @property
    def all_checks_passed(self) -> bool:
        """Whether the latest result of every check is a pass."""
        return all(row is not None and row.passed for _name, row in self.checks)


def merchant_detail(merchant_id: UUID, *, at: datetime) -> MerchantDetail | None:
    """The merchant's detail in a fixed number of queries; None if there is no such merchant."""
    business = business_of(merchant_id)
    if business is None:
        return None
    merchant = business.live if business.live.id == merchant_id else business.sandbox
    last = {row.name: row for row in MerchantCheck.objects.filter(merchant=merchant).order_by("id")}
    return MerchantDetail(
        merchant=merchant,
        twin=business.sandbox if merchant == business.live else business.live,
        history=list(MerchantEvent.objects.filter(subject=merchant).order_by("-seq")[:SHOWN_MAX]),
        checks=[(name, last.get(name)) for name in CHECKS],
        services=[
            ServiceTerms(row, row.fee_bps_at(at), row.upcoming_fee(at))
            for row in Service.objects.filter(merchant=merchant)[:SHOWN_MAX]
        ],
        keys=list(ApiKey.objects.filter(merchant=merchant).order_by("-id")[:SHOWN_MAX]),
        team=list(team_of(business.live.id)[:SHOWN_MAX]),
        account=settlement_queries.effective_payout_account(merchant_id, at=at),
        upcoming_account=settlement_queries.upcoming_payout_account(merchant_id, at=at),
        requested_account=settlement_queries.requested_payout_account(merchant_id),
        settlements=list(settlement_queries.settlements_of(merchant_id).order_by("-id")[:10]),
    )


def onboarding_or_suspended() -> list[tuple[Merchant, int, int]]:
    """Merchants being onboarded or suspended, the oldest first, each with passed and total checks.

    The checks are read in one query.
    """
    rows = list(Merchant.objects.filter(~Q(state__in=["active", "refused"])).order_by("id")[:SHOWN_MAX])
    passed: dict[UUID, dict[str, bool]] = {row.id: {} for row in rows}
    checks = MerchantCheck.objects.filter(merchant__in=rows).order_by("id")
    for merchant_id, name, is_passed in checks.values_list("merchant_id", "name", "passed"):
        passed[merchant_id][name] = is_passed
    return [(row, sum(passed[row.id].values()), len(CHECKS)) for row in rows]


def latest_decided() -> list[Merchant]:
    """The latest merchants that were onboarded or rejected."""
    rows = Merchant.objects.filter(realm__mode="live", state__in=["active", "refused"])
    return list(rows.order_by("-id")[:SHOWN_MAX])
