"""What colleagues do about settlement: a day's end is moved, and a reserve held back."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Payout
from billing.services.payout_returns import returnable, say_returned
from billing.services.resolve import EVIDENCE_MAX, TXN_MAX
from kernel.actor import Actor
from kernel.console_actions import Verb, VerbForm, Words
from kernel.money import BPS
from kernel.templatetags.house import money, share
from merchants.models import Merchant
from merchants.rules.cutoff import RESERVE_DAYS_MAX
from merchants.services.terms import hold_reserve, move_cutoff

MONEY = ("finance", "supervisor")


class CutoffForm(VerbForm):
    """At which hour of which zone."""

    zone = forms.CharField(label=gettext_lazy("Time zone"), max_length=40)
    hour = forms.IntegerField(label=gettext_lazy("Hour"), min_value=0, max_value=23)

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        given = {"zone": row.cutoff_zone, "hour": row.cutoff_hour}
        super().__init__(*args, row=row, initial=given, **kwargs)


class ReserveForm(VerbForm):
    """How much, and for how long."""

    bps = forms.IntegerField(label=gettext_lazy("Basis points"), min_value=0, max_value=BPS)
    days = forms.IntegerField(label=gettext_lazy("Days"), min_value=0, max_value=RESERVE_DAYS_MAX)

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        given = {"bps": row.reserve_bps, "days": row.reserve_days}
        super().__init__(*args, row=row, initial=given, **kwargs)


def _before_moving(row: Merchant, at: datetime) -> Words:
    del at
    says = _("Current cut-off: %(hour)s:00 (%(zone)s). A change takes effect immediately.")
    return says % {"hour": row.cutoff_hour, "zone": row.cutoff_zone}


def _move(merchant_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    move_cutoff(merchant_id, zone=wish["zone"], hour=wish["hour"], reason=wish["note"], by=by, at=at)
    return _("Cut-off time updated.")


def _before_holding(row: Merchant, at: datetime) -> Words:
    del at
    says = _(
        "%(share)s of credited amounts is held in reserve for %(days)s days. A change takes effect with the next"
        " settlement."
    )
    return says % {"share": share(row.reserve_bps), "days": row.reserve_days}


def _hold(merchant_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    hold_reserve(merchant_id, bps=wish["bps"], days=wish["days"], reason=wish["note"], by=by, at=at)
    return _("Reserve updated.")


class ReturnedForm(VerbForm):
    """By which movement of its own the bank sent it back, and how that is known."""

    txn = forms.CharField(label=gettext_lazy("Bank return reference"), max_length=TXN_MAX)
    evidence = forms.CharField(
        label=gettext_lazy("Evidence"),
        max_length=EVIDENCE_MAX,
        help_text=gettext_lazy("Who confirmed it, when and where it can be verified: a letter, statement or ticket."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )


def _before_returned(row: Payout, at: datetime) -> Words:
    del at
    says = _(
        "%(amount)s was returned by %(merchant)s's bank. This opens a case; no more payouts go to that account"
        " until it is closed, after which the money belongs to the merchant again. First ask the merchant what is"
        " wrong with the account."
    )
    return says % {"amount": money(row.amount), "merchant": row.merchant.name}


def _returned(payout_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    case = say_returned(payout_id, txn=wish["txn"], evidence=wish["evidence"], reason=wish["note"], by=by, at=at)
    return _("Case opened: %(case)s.") % {"case": case.public_id}


VERBS = [
    Verb(
        "payout_returned",
        Payout,
        gettext_lazy("Record bank return"),
        MONEY,
        _before_returned,
        _returned,
        ReturnedForm,
        fits=returnable,
    ),
    Verb("move_cutoff", Merchant, gettext_lazy("Change cut-off time"), MONEY, _before_moving, _move, CutoffForm),
    Verb("hold_reserve", Merchant, gettext_lazy("Change reserve"), MONEY, _before_holding, _hold, ReserveForm),
]
