"""Row actions on settlement: cut-off time, reserve, and payouts returned by the bank."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Payout
from billing.services.manual_resolution import EVIDENCE_MAX, TXN_MAX
from billing.services.payout_returns import can_be_returned, record_payout_return
from kernel.actor import Actor
from kernel.console_actions import ReasonForm, RowAction, StrOrPromise
from kernel.money import BPS
from kernel.templatetags.formatting import money, percent
from merchants.models import Merchant
from merchants.rules.cutoff import RESERVE_DAYS_MAX
from merchants.services.commercial_terms import hold_reserve, move_cutoff

MONEY_GROUPS = ("finance", "supervisor")


class CutoffForm(ReasonForm):
    """The cut-off hour and its time zone."""

    zone = forms.CharField(label=gettext_lazy("Time zone"), max_length=40)
    hour = forms.IntegerField(label=gettext_lazy("Hour"), min_value=0, max_value=23)

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        given = {"zone": row.cutoff_zone, "hour": row.cutoff_hour}
        super().__init__(*args, row=row, initial=given, **kwargs)


class ReserveForm(ReasonForm):
    """The reserve rate and period."""

    bps = forms.IntegerField(label=gettext_lazy("Basis points"), min_value=0, max_value=BPS)
    days = forms.IntegerField(label=gettext_lazy("Days"), min_value=0, max_value=RESERVE_DAYS_MAX)

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        given = {"bps": row.reserve_bps, "days": row.reserve_days}
        super().__init__(*args, row=row, initial=given, **kwargs)


def _preview_cutoff(row: Merchant, at: datetime) -> StrOrPromise:
    del at
    text = _("Current cut-off: %(hour)s:00 (%(zone)s). A change takes effect immediately.")
    return text % {"hour": row.cutoff_hour, "zone": row.cutoff_zone}


def _change_cutoff(merchant_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    move_cutoff(merchant_id, zone=data["zone"], hour=data["hour"], reason=data["note"], by=by, at=at)
    return _("Cut-off time updated.")


def _preview_reserve(row: Merchant, at: datetime) -> StrOrPromise:
    del at
    text = _(
        "%(share)s of credited amounts is held in reserve for %(days)s days. A change takes effect with the next"
        " settlement."
    )
    return text % {"share": percent(row.reserve_bps), "days": row.reserve_days}


def _change_reserve(merchant_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    hold_reserve(merchant_id, bps=data["bps"], days=data["days"], reason=data["note"], by=by, at=at)
    return _("Reserve updated.")


class PayoutReturnedForm(ReasonForm):
    """The bank's reference of a returned payout, and the evidence for it."""

    txn = forms.CharField(label=gettext_lazy("Bank return reference"), max_length=TXN_MAX)
    evidence = forms.CharField(
        label=gettext_lazy("Evidence"),
        max_length=EVIDENCE_MAX,
        help_text=gettext_lazy("Who confirmed it, when and where it can be verified: a letter, statement or ticket."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )


def _preview_returned(row: Payout, at: datetime) -> StrOrPromise:
    del at
    text = _(
        "%(amount)s was returned by %(merchant)s's bank. This opens a case; no more payouts go to that account"
        " until it is closed, after which the money belongs to the merchant again. First ask the merchant what is"
        " wrong with the account."
    )
    return text % {"amount": money(row.amount), "merchant": row.merchant.name}


def _record_returned(payout_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    case = record_payout_return(
        payout_id, txn=data["txn"], evidence=data["evidence"], reason=data["note"], by=by, at=at
    )
    return _("Case opened: %(case)s.") % {"case": case.public_id}


ROW_ACTIONS = [
    RowAction(
        "payout_returned",
        Payout,
        gettext_lazy("Record bank return"),
        MONEY_GROUPS,
        _preview_returned,
        _record_returned,
        PayoutReturnedForm,
        applies_to=can_be_returned,
    ),
    RowAction(
        "move_cutoff",
        Merchant,
        gettext_lazy("Change cut-off time"),
        MONEY_GROUPS,
        _preview_cutoff,
        _change_cutoff,
        CutoffForm,
    ),
    RowAction(
        "hold_reserve",
        Merchant,
        gettext_lazy("Change reserve"),
        MONEY_GROUPS,
        _preview_reserve,
        _change_reserve,
        ReserveForm,
    ),
]
