"""What colleagues do to a merchant: look into it, agree to it, open, suspend and limit it, and set its fees."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.urls import reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.actor import Actor
from kernel.clock import live_now
from kernel.console_actions import Done, Verb, VerbForm, Words
from kernel.forms import minor_of, plain
from kernel.money import BPS, Money
from kernel.templatetags.house import share, written
from merchants import services as merchants
from merchants.models import Merchant, Service
from office.console.merchants import CHECKS
from office.services import joining
from portal.services.team import owner_known

State = Merchant.State
#: Who looks into a merchant and stops it, and who decides about money.
LOOKERS, MONEY = ("risk", "supervisor"), ("finance", "supervisor")
CURRENCY = "CNY"


class CheckForm(VerbForm):
    """What was looked into, and what came out."""

    check = forms.ChoiceField(label=gettext_lazy("Check item"), choices=list(CHECKS.items()))
    passed = forms.ChoiceField(
        label=gettext_lazy("Check result"),
        choices=[("yes", gettext_lazy("Passed")), ("no", gettext_lazy("Failed check"))],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].label = gettext_lazy("Basis")


class OwnerForm(VerbForm):
    """Who is to own its console."""

    email = forms.EmailField(label=gettext_lazy("Email on file"), max_length=254)


class MostForm(VerbForm):
    """The most one order may come to."""

    most = forms.CharField(
        label=gettext_lazy("Order maximum"),
        max_length=13,
        required=False,
        help_text=gettext_lazy("Empty: as set by its services."),
    )

    def clean_most(self) -> int | None:
        text = self.cleaned_data["most"].strip()
        found = minor_of(text, CURRENCY) if text else None
        if text and not found:
            raise forms.ValidationError(_("An amount such as 12.34."))
        return found


class FeeForm(VerbForm):
    """How much, and from when on."""

    bps = forms.IntegerField(
        label=gettext_lazy("Fee (basis points)"),
        min_value=0,
        max_value=BPS - 1,
        help_text=gettext_lazy("60 means 0.60%."),
    )
    since = forms.DateTimeField(
        label=gettext_lazy("Effective from"),
        help_text=format_lazy(
            gettext_lazy("{zone} time. Orders opened before keep their original fee."),
            zone=settings.CONSOLE_ZONE,
        ),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def clean_since(self) -> datetime:
        """As it was meant at the console, whoever reads the form again."""
        given: datetime = self.cleaned_data["since"]
        return given.replace(tzinfo=ZoneInfo(settings.CONSOLE_ZONE))


def _back(row: Merchant | Service) -> str:
    key = row if isinstance(row, Merchant) else row.merchant
    return reverse("merchant_desk", args=[key.public_id])


def _always(row: Any, wish: Any) -> bool:
    del row, wish
    return True


def _in(*states: str) -> Any:
    """Fits a live merchant at one of these steps."""
    return partial(_stands_in, states)


def _stands_in(states: tuple[str, ...], row: Merchant) -> bool:
    return row.mode == "live" and row.state in states


def _says(text: Words) -> Any:
    return partial(_said, text)


def _said(text: Words, row: Any, at: datetime) -> Words:
    del at
    return str(text) % {"name": row.name}


def _note_check(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    passed = wish["passed"] == "yes"
    merchants.note_check(key, wish["check"], passed=passed, evidence=wish["note"], by=by, at=at)
    return _("Saved to record.")


def _approve(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    merchants.approve_merchant(key, wish["note"], by=by, at=at)
    return _("Approved. The merchant can now go live.")


def _refuse(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    merchants.refuse_merchant(key, wish["note"], by=by, at=at)
    return _("Request rejected.")


def _open(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    joining.open_merchant(key, wish["note"], by=by, at=at)
    return _("The merchant is live.")


def _suspend(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    merchants.suspend_merchant(key, wish["note"], by=by, at=at)
    return _("Suspended. Orders in progress complete as usual.")


def _resume(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    merchants.resume_merchant(key, wish["note"], by=by, at=at)
    return _("New orders are accepted again.")


def _most(row: Merchant) -> str:
    return plain(Money(row.order_most_minor, CURRENCY)) if row.order_most_minor is not None else ""


def _before_limit(row: Merchant, at: datetime) -> Words:
    del at
    most = _most(row) or _("as set by its services")
    return _("Maximum per order: %(most)s. A new maximum applies to orders opened from then on.") % {"most": most}


def _limit(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    made = merchants.limit_orders(key, wish["most"], wish["note"], by=by, at=at)
    return _("Maximum per order: %(most)s.") % {"most": _most(made) or _("as set by its services")}


def _limit_stands(row: Merchant) -> dict[str, Any]:
    return {"most": _most(row)}


def _before_inviting(row: Merchant, at: datetime) -> Words:
    del at
    return _("A one-time link, valid for seven days, that makes whoever opens it an owner of %(name)s.") % {
        "name": row.name
    }


def _invite(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Done:
    return joining.invite_owner(Merchant.objects.get(pk=key), wish["email"], _("Link sent."), by=by, at=at)


def _one_more(row: Merchant, wish: Any) -> bool:
    """The first owner is asked in by whoever takes a business in; every other could take it over."""
    del wish
    return owner_known(row.pk, at=live_now())


def _before_fee(row: Service, at: datetime) -> Words:
    says = _("The platform charges %(share)s of the amount collected.") % {"share": share(row.fee_at(at))}
    if row.next_fee_bps is not None and row.next_fee_from is not None and at < row.next_fee_from:
        more = _("From %(moment)s: %(share)s; a newly set fee replaces it.")
        return f"{says} {more % {'share': share(row.next_fee_bps), 'moment': written(row.next_fee_from)}}"
    return says


def _fee(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    made = merchants.set_fee(key, wish["bps"], wish["since"], reason=wish["note"], by=by, at=at)
    said = {"share": share(made.next_fee_bps or 0), "moment": written(made.next_fee_from)}
    return _("Fee from %(moment)s: %(share)s.") % said


def _fee_stands(row: Service) -> dict[str, Any]:
    return {"bps": row.fee_bps, "next_bps": row.next_fee_bps, "since": written(row.next_fee_from)}


def _is_theirs(row: Any) -> bool:
    del row
    return True


VERBS = [
    Verb(
        "note_check", Merchant, gettext_lazy("Record check"), LOOKERS,
        _says(gettext_lazy("Once all checks pass, two people can approve %(name)s.")), _note_check, CheckForm,
        fits=_in(State.APPLIED, State.CHECKED, State.APPROVED, State.ACTIVE, State.SUSPENDED), back=_back,
    ),
    Verb(
        "approve_merchant", Merchant, gettext_lazy("Approve"), LOOKERS,
        _says(gettext_lazy("%(name)s is approved. It accepts orders after going live.")), _approve,
        fits=_in(State.CHECKED), back=_back, second=_always, deciders=LOOKERS,
    ),
    Verb(
        "refuse_merchant", Merchant, gettext_lazy("Reject application"), LOOKERS,
        _says(gettext_lazy("%(name)s is rejected. Its sandbox remains.")), _refuse,
        fits=_in(State.APPLIED, State.CHECKED, State.APPROVED), back=_back,
    ),
    Verb(
        "open_merchant", Merchant, gettext_lazy("Go live"), LOOKERS,
        _says(
            gettext_lazy(
                "Customers can now open services of %(name)s and pay later;"
                " the merchant can create live keys."
            )
        ),
        _open, fits=_in(State.APPROVED), back=_back,
    ),
    Verb(
        "suspend_merchant", Merchant, gettext_lazy("Suspend"), LOOKERS,
        _says(
            gettext_lazy(
                "No new agreements or orders at %(name)s. Orders in progress are completed, deducted, refunded and"
                    " settled as usual."
            )
        ),
        _suspend, fits=_in(State.ACTIVE), back=_back,
    ),
    Verb(
        "resume_merchant", Merchant, gettext_lazy("Resume new orders"), LOOKERS,
        _says(gettext_lazy("Customers can order from %(name)s again.")), _resume,
        fits=_in(State.SUSPENDED), back=_back, second=_always, deciders=LOOKERS,
    ),
    Verb(
        "limit_merchant", Merchant, gettext_lazy("Order maximum"), LOOKERS, _before_limit, _limit, MostForm,
        back=_back, second=_always, deciders=LOOKERS, stands=_limit_stands, fits=_is_theirs,
    ),
    Verb(
        "invite_owner", Merchant, gettext_lazy("Invite owner"), LOOKERS, _before_inviting, _invite, OwnerForm,
        fits=_in(*State.values), back=_back, second=_one_more, deciders=LOOKERS,
    ),
    Verb(
        "set_fee", Service, gettext_lazy("Set fee"), MONEY, _before_fee, _fee, FeeForm,
        back=_back, second=_always, deciders=MONEY, stands=_fee_stands, fits=_is_theirs,
    ),
]  # fmt: skip
