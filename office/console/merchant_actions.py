"""Console actions on merchants: checks, approval, going live, suspension, order maximum, owner invitation, fees."""

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
from kernel.clock import live_now, now_in
from kernel.console_actions import ActionResult, ReasonForm, RowAction, StrOrPromise
from kernel.forms import parse_minor, plain_amount
from kernel.money import BPS, Money
from kernel.templatetags.formatting import percent, plain_datetime
from merchants import services as merchants
from merchants.models import Merchant, Service
from office.console.merchants import CHECK_LABELS
from office.services import merchant_onboarding
from portal.services.team import has_owner

State = Merchant.State
#: Groups that review and suspend merchants, and groups that decide fees.
REVIEW_GROUPS, FINANCE_GROUPS = ("risk", "supervisor"), ("finance", "supervisor")
CURRENCY = "CNY"


class CheckForm(ReasonForm):
    """The result of one check."""

    check = forms.ChoiceField(label=gettext_lazy("Check item"), choices=list(CHECK_LABELS.items()))
    passed = forms.ChoiceField(
        label=gettext_lazy("Check result"),
        choices=[("yes", gettext_lazy("Passed")), ("no", gettext_lazy("Failed check"))],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].label = gettext_lazy("Basis")


class OwnerForm(ReasonForm):
    """The owner to invite."""

    email = forms.EmailField(label=gettext_lazy("Email on file"), max_length=254)


class OrderMaximumForm(ReasonForm):
    """The maximum amount of one order."""

    most = forms.CharField(
        label=gettext_lazy("Order maximum"),
        max_length=13,
        required=False,
        help_text=gettext_lazy("Empty: as set by its services."),
    )

    def clean_most(self) -> int | None:
        text = self.cleaned_data["most"].strip()
        amount = parse_minor(text, CURRENCY) if text else None
        if text and not amount:
            raise forms.ValidationError(_("An amount such as 12.34."))
        return amount


class FeeForm(ReasonForm):
    """The fee and from when it applies."""

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
        """The time in the console's zone, also when a stored form is validated again outside a console request."""
        since: datetime = self.cleaned_data["since"]
        return since.replace(tzinfo=ZoneInfo(settings.CONSOLE_ZONE))


def _merchant_url(row: Merchant | Service) -> str:
    key = row if isinstance(row, Merchant) else row.merchant
    return reverse("merchant_desk", args=[key.public_id])


def _always(row: Any, data: Any) -> bool:
    del row, data
    return True


def _in_states(*states: str) -> Any:
    """A predicate for live merchants in one of these states."""
    return partial(_is_live_in_states, states)


def _is_live_in_states(states: tuple[str, ...], row: Merchant) -> bool:
    return row.mode == "live" and row.state in states


def _preview_text(text: StrOrPromise) -> Any:
    return partial(_format_preview, text)


def _format_preview(text: StrOrPromise, row: Any, at: datetime) -> StrOrPromise:
    del at
    return str(text) % {"name": row.name}


def _record_check(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    passed = data["passed"] == "yes"
    merchants.record_check(key, data["check"], passed=passed, evidence=data["note"], by=by, at=at)
    return _("Saved to record.")


def _approve(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    merchants.approve_merchant(key, data["note"], by=by, at=at)
    return _("Approved. The merchant can now go live.")


def _refuse(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    merchants.refuse_merchant(key, data["note"], by=by, at=at)
    return _("Request rejected.")


def _open(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    merchant_onboarding.open_merchant(key, data["note"], by=by, at=at)
    return _("The merchant is live.")


def _suspend(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    merchants.suspend_merchant(key, data["note"], by=by, at=at)
    return _("Suspended. Orders in progress complete as usual.")


def _resume(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    merchants.resume_merchant(key, data["note"], by=by, at=at)
    return _("New orders are accepted again.")


def _order_maximum(row: Merchant) -> str:
    return plain_amount(Money(row.order_most_minor, CURRENCY)) if row.order_most_minor is not None else ""


def _limit_preview(row: Merchant, at: datetime) -> StrOrPromise:
    del at
    most = _order_maximum(row) or _("as set by its services")
    return _("Maximum per order: %(most)s. A new maximum applies to orders opened from then on.") % {"most": most}


def _limit(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    updated = merchants.set_order_limit(key, data["most"], data["note"], by=by, at=at)
    return _("Maximum per order: %(most)s.") % {"most": _order_maximum(updated) or _("as set by its services")}


def _limit_snapshot(row: Merchant) -> dict[str, Any]:
    return {"most": _order_maximum(row)}


def _invitation_preview(row: Merchant, at: datetime) -> StrOrPromise:
    del at
    return _("A one-time link, valid for seven days, that makes whoever opens it an owner of %(name)s.") % {
        "name": row.name
    }


def _invite(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> ActionResult:
    return merchant_onboarding.invite_owner(Merchant.objects.get(pk=key), data["email"], _("Link sent."), by=by, at=at)


def _has_owner(row: Merchant, data: Any) -> bool:
    """Whether the merchant has an owner: inviting a second one could take it over, so it needs approval."""
    del data
    return has_owner(row.pk, at=live_now())


def _fee_preview(row: Service, at: datetime) -> StrOrPromise:
    message = _("The platform charges %(share)s of the amount collected.") % {"share": percent(row.fee_bps_at(at))}
    if coming := row.upcoming_fee(at):
        more = _("From %(moment)s: %(share)s; a newly set fee replaces it.")
        return f"{message} {more % {'share': percent(coming[0]), 'moment': plain_datetime(coming[1])}}"
    return message


def _set_fee(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    updated = merchants.set_fee(key, data["bps"], data["since"], reason=data["note"], by=by, at=at)
    params = {"share": percent(updated.next_fee_bps or 0), "moment": plain_datetime(updated.next_fee_from)}
    return _("Fee from %(moment)s: %(share)s.") % params


def _fee_snapshot(row: Service) -> dict[str, Any]:
    """The fee in effect, and the one that is still to come."""
    at = now_in(row.realm)
    coming = row.upcoming_fee(at)
    next_bps, since = coming or (None, None)
    return {"bps": row.fee_bps_at(at), "next_bps": next_bps, "since": plain_datetime(since)}


def _applies_always(row: Any) -> bool:
    del row
    return True


ROW_ACTIONS = [
    RowAction(
        "note_check", Merchant, gettext_lazy("Record check"), REVIEW_GROUPS,
        _preview_text(gettext_lazy("Once all checks pass, two people can approve %(name)s.")), _record_check, CheckForm,
        applies_to=_in_states(State.APPLIED, State.CHECKED, State.APPROVED, State.ACTIVE, State.SUSPENDED),
        back_url=_merchant_url,
    ),
    RowAction(
        "approve_merchant", Merchant, gettext_lazy("Approve"), REVIEW_GROUPS,
        _preview_text(gettext_lazy("%(name)s is approved. It accepts orders after going live.")), _approve,
        applies_to=_in_states(State.CHECKED), back_url=_merchant_url, needs_approval=_always, approvers=REVIEW_GROUPS,
    ),
    RowAction(
        "refuse_merchant", Merchant, gettext_lazy("Reject application"), REVIEW_GROUPS,
        _preview_text(gettext_lazy("%(name)s is rejected. Its sandbox remains.")), _refuse,
        applies_to=_in_states(State.APPLIED, State.CHECKED, State.APPROVED), back_url=_merchant_url,
    ),
    RowAction(
        "open_merchant", Merchant, gettext_lazy("Go live"), REVIEW_GROUPS,
        _preview_text(
            gettext_lazy(
                "Customers can now open services of %(name)s and pay later;"
                " the merchant can create live keys."
            )
        ),
        _open, applies_to=_in_states(State.APPROVED), back_url=_merchant_url,
    ),
    RowAction(
        "suspend_merchant", Merchant, gettext_lazy("Suspend"), REVIEW_GROUPS,
        _preview_text(
            gettext_lazy(
                "No new agreements or orders at %(name)s. Orders in progress are completed, deducted, refunded and"
                    " settled as usual."
            )
        ),
        _suspend, applies_to=_in_states(State.ACTIVE), back_url=_merchant_url,
    ),
    RowAction(
        "resume_merchant", Merchant, gettext_lazy("Resume new orders"), REVIEW_GROUPS,
        _preview_text(gettext_lazy("Customers can order from %(name)s again.")), _resume,
        applies_to=_in_states(State.SUSPENDED), back_url=_merchant_url, needs_approval=_always, approvers=REVIEW_GROUPS,
    ),
    RowAction(
        "limit_merchant", Merchant, gettext_lazy("Order maximum"), REVIEW_GROUPS, _limit_preview, _limit,
        OrderMaximumForm, applies_to=_applies_always,
        back_url=_merchant_url, needs_approval=_always, approvers=REVIEW_GROUPS, snapshot=_limit_snapshot,
    ),
    RowAction(
        "invite_owner", Merchant, gettext_lazy("Invite owner"), REVIEW_GROUPS, _invitation_preview, _invite, OwnerForm,
        applies_to=_in_states(*State.values),
        back_url=_merchant_url, needs_approval=_has_owner, approvers=REVIEW_GROUPS,
    ),
    RowAction(
        "set_fee", Service, gettext_lazy("Set fee"), FINANCE_GROUPS, _fee_preview, _set_fee, FeeForm,
        applies_to=_applies_always,
        back_url=_merchant_url, needs_approval=_always, approvers=FINANCE_GROUPS, snapshot=_fee_snapshot,
    ),
]  # fmt: skip
