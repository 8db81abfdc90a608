"""Row actions that decide refused returns, and the page of the early refund policy."""

from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.order_actions import owes_late_fees
from billing.models import Return, ReturnPolicy
from billing.services.return_decisions import (
    absorb_return,
    absorbing_needs_approval,
    confirming_needs_approval,
    deny_return,
    early_refund_paid,
    prepare_confirmation,
)
from billing.services.return_policies import preview_return_terms, validate_return_terms
from kernel.actor import Actor
from kernel.console_actions import ActionResult, Colleague, MenuItem, ReasonForm, RowAction, StrOrPromise, console_page
from kernel.forms import YuanField, plain_amount
from kernel.maker_checker import JsonDict
from kernel.money import Money
from kernel.policy_pages import Policy, approval_type_of_policy, publish_page
from kernel.templatetags.formatting import money

DECIDERS = ("support", "supervisor")
PUBLISHERS = ("supervisor", "risk")
MENU_ITEM = MenuItem(
    "return_policy",
    gettext_lazy("Early refunds"),
    gettext_lazy("Who is eligible, the maximum amount and the merchant's deadline"),
    PUBLISHERS,
)


def _preview(text: StrOrPromise, row: Return, at: datetime) -> StrOrPromise:
    """The merchant's reason and the consequence of the action."""
    del at
    reason = _("Merchant's reason: %(because)s.") % {"because": row.because}
    return f"{reason} {str(text) % {'amount': money(row.amount)}}"


def _confirm(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> ActionResult:
    del data
    return ActionResult(_("Charged to the merchant."), prepare_confirmation(key, by=by, at=at))


def _confirm_needs_approval(row: Return, data: Any) -> bool:
    """Whether the amount is large, or the whole order is refunded and owed late fees are dropped with it."""
    del data
    whole = row.amount >= row.order.total - row.order.refunded
    return (whole and owes_late_fees(row.order)) or confirming_needs_approval(row)


def _loss_needs_approval(row: Return, data: Any) -> bool:
    del data
    return absorbing_needs_approval(row)


def _posting_filter(row: Return) -> Q:
    return Q(cause_id=row.pk)


def _deny(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    deny_return(key, data["note"], by=by, at=at)
    return _("The return was not accepted; the customer has been notified.")


def _accept_loss(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    absorb_return(key, data["note"], by=by, at=at)
    return _("Charged to the platform.")


def _is_refused(row: Return) -> bool:
    return bool(row.state == Return.State.REFUSED)


def _is_refunded_early(row: Return) -> bool:
    return _is_refused(row) and bool(early_refund_paid(row))


ROW_ACTIONS = [
    RowAction(
        "return_came",
        Return,
        gettext_lazy("Borne by the merchant"),
        DECIDERS,
        partial(_preview, gettext_lazy("%(amount)s is charged to the merchant, as if they had confirmed receipt.")),
        _confirm,
        applies_to=_is_refused,
        needs_approval=_confirm_needs_approval,
    ),
    RowAction(
        "return_denied",
        Return,
        gettext_lazy("Reject return"),
        DECIDERS,
        partial(
            _preview,
            gettext_lazy(
                "The early-refunded part of %(amount)s is owed again by the customer; any remaining debt continues as"
                " before."
            ),
        ),
        _deny,
        applies_to=_is_refused,
    ),
    RowAction(
        "return_borne",
        Return,
        gettext_lazy("Platform bears the return"),
        DECIDERS,
        partial(
            _preview,
            gettext_lazy(
                "The early-refunded part of %(amount)s becomes a platform loss;"
                " neither the customer nor the merchant owes anything."
            ),
        ),
        _accept_loss,
        applies_to=_is_refunded_early,
        posting_filter=_posting_filter,
        needs_approval=_loss_needs_approval,
    ),
]


class ReturnPolicyForm(ReasonForm):
    """The terms of a new version, initially those of the current one."""

    score_min = forms.IntegerField(label=gettext_lazy("Minimum credit score"))
    ceiling_minor = YuanField(
        label=gettext_lazy("Maximum per return"),
        help_text=gettext_lazy("In yuan; other currencies use the equivalent limit."),
    )
    open_max = forms.IntegerField(label=gettext_lazy("Maximum undecided returns per customer"))
    within_days = forms.IntegerField(label=gettext_lazy("Return period after order end (days)"))
    answer_days = forms.IntegerField(label=gettext_lazy("Merchant's deadline (days)"))
    remind_days = forms.IntegerField(label=gettext_lazy("Reminder before the deadline (days)"))


def _terms_from(data: JsonDict) -> JsonDict:
    return {name: data[name] for name in ReturnPolicyForm.base_fields if name != "note"}


def _form_fields(terms: JsonDict) -> JsonDict:
    return _terms_from(terms) | {"ceiling_minor": plain_amount(Money(terms["ceiling_minor"]))}


def _preview_impact(terms: JsonDict, at: datetime) -> StrOrPromise:
    text = _(
        "Of %(looked_at)d returns in the last 90 days, %(ahead)d were refunded early; under the new score and"
        " amount rules, %(would)d would be."
    )
    return text % asdict(preview_return_terms(terms, at=at))


POLICY = Policy(
    name="return_policy",
    label=MENU_ITEM.label,
    approval_label=gettext_lazy("Publish early refund policy"),
    model=ReturnPolicy,
    publishers=PUBLISHERS,
    form=ReturnPolicyForm,
    terms_to_fields=_form_fields,
    fields_to_terms=_terms_from,
    validate=validate_return_terms,
    preview_impact=_preview_impact,
)
APPROVAL_TYPES = [approval_type_of_policy(POLICY)]


@console_page(*PUBLISHERS)
def publish(colleague: Colleague) -> HttpResponse:
    """Publish a version. It applies to returns opened from then on."""
    return publish_page(POLICY, colleague)
