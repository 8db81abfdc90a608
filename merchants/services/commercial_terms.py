"""Commercial terms of a merchant: daily cut-off, reserve, and the platform's fee."""

from datetime import datetime
from uuid import UUID
from zoneinfo import available_timezones

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from kernel.actor import Actor
from kernel.money import BPS
from kernel.refusal import ApprovalRequired, FieldError, Invalid, NotFound
from merchants.models import Merchant, Service
from merchants.rules.cutoff import RESERVE_DAYS_MAX, next_cutoff
from merchants.rules.onboarding import FEE_AHEAD_MAX
from merchants.services.change_log import record_change

_LAST_HOUR = 23


@transaction.atomic
def move_cutoff(merchant_id: UUID, *, zone: str, hour: int, reason: str = "", by: Actor, at: datetime) -> Merchant:
    """Set the hour and zone of the merchant's daily cut-off from now on. A cut-off that is already due stays.

    Raises:
        NotFound: there is no such merchant.
        Invalid: there is no such zone or hour.
    """
    if zone not in available_timezones():
        raise Invalid(errors=[FieldError("/zone", _("no such time zone"))])
    if not 0 <= hour <= _LAST_HOUR:
        raise Invalid(errors=[FieldError("/hour", _("between 0 and 23"))])
    merchant = _lock_merchant(merchant_id)
    merchant.cutoff_zone, merchant.cutoff_hour = zone, hour
    if merchant.settles_at > at:
        merchant.settles_at = next_cutoff(at, zone, hour)
    merchant.save(update_fields=["cutoff_zone", "cutoff_hour", "settles_at"])
    record_change(merchant_id, "cutoff_moved", merchant_id, by=by, at=at, zone=zone, hour=hour, reason=reason)
    return merchant


@transaction.atomic
def hold_reserve(merchant_id: UUID, *, bps: int, days: int, reason: str = "", by: Actor, at: datetime) -> Merchant:
    """Set the share of credits that is held as a reserve, and for how many days, from the next settlement on.

    0 means no reserve.

    Raises:
        NotFound: there is no such merchant.
        Invalid: the share or the number of days is out of range.
    """
    if not 0 <= bps <= BPS:
        raise Invalid(errors=[FieldError("/bps", _("between 0 and 10000"))])
    if not (bps == 0 or 1 <= days <= RESERVE_DAYS_MAX):
        raise Invalid(errors=[FieldError("/days", _("between 1 and 365"))])
    merchant = _lock_merchant(merchant_id)
    merchant.reserve_bps, merchant.reserve_days = bps, days if bps else 0
    merchant.save(update_fields=["reserve_bps", "reserve_days"])
    record_change(merchant_id, "reserve_changed", merchant_id, by=by, at=at, bps=bps, days=days, reason=reason)
    return merchant


@transaction.atomic
def set_fee(service_id: UUID, bps: int, since: datetime, *, reason: str = "", by: Actor, at: datetime) -> Service:
    """Set the platform's fee for orders opened from `since` on; orders opened before keep theirs.

    It replaces another fee change that was scheduled.

    Raises:
        NotFound: there is no such service.
        ApprovalRequired: the change needs the approval of a second colleague.
        Invalid: the fee is out of range, or `since` is in the past or too far ahead.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    if not 0 <= bps < BPS:
        raise Invalid(errors=[FieldError("/bps", _("less than the whole"))])
    if not at <= since <= at + FEE_AHEAD_MAX:
        raise Invalid(errors=[FieldError("/since", _("Must be within one year from now."))])
    service = Service.objects.select_for_update(of=("self",), no_key=True).filter(pk=service_id).first()
    if service is None:
        raise NotFound
    service.fee_bps = service.fee_bps_at(at)
    service.next_fee_bps, service.next_fee_from = bps, since
    service.save(update_fields=["fee_bps", "next_fee_bps", "next_fee_from"])
    record_change(
        service.merchant_id,
        "fee_set",
        service_id,
        by=by,
        at=at,
        before=service.fee_bps,
        bps=bps,
        since=since,
        reason=reason,
    )
    return service


def _lock_merchant(merchant_id: UUID) -> Merchant:
    merchant = Merchant.objects.select_for_update(of=("self",), no_key=True).filter(pk=merchant_id).first()
    if merchant is None:
        raise NotFound
    return merchant
