"""/ops/merchants/: merchants being onboarded, registering an application, and a merchant's detail page."""

from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from kernel import ids
from kernel.action_page import render_action
from kernel.actor_names import usernames_of
from kernel.admin_site import VIEWERS
from kernel.clock import now_in
from kernel.console_actions import (
    ActionResult,
    Colleague,
    MenuItem,
    ReasonForm,
    StrOrPromise,
    console_page,
)
from kernel.refusal import Refusal
from merchants.models import Merchant
from merchants.rules.cutoff import next_cutoff
from merchants.services import Application
from office.queries import merchants as merchant_queries
from office.queries.merchants import SHOWN_MAX, MerchantDetail
from office.services import merchant_onboarding
from office.services.previews import preview_settlements

#: Groups that register applications.
APPLICATION_GROUPS = ("support", "risk", "supervisor")
MENU_ITEM = MenuItem(
    "merchants", gettext_lazy("Merchants"), gettext_lazy("Merchants onboarding and onboarded"), VIEWERS
)
CHECK_LABELS: dict[str, StrOrPromise] = {
    "registration": gettext_lazy("Company registration"),
    "licence": gettext_lazy("Industry licences"),
    "sanctions": gettext_lazy("Sanctions screening (business and owners)"),
    "website": gettext_lazy("Website, prices and terms"),
    "contact": gettext_lazy("Contact (called back)"),
}
#: The states of onboarding, in order.
ONBOARDING_STEPS = ("applied", "checked", "approved", "active")


class ApplicationForm(ReasonForm):
    """A business's application."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=80, help_text=gettext_lazy("The name customers know; shown everywhere.")
    )
    legal_name = forms.CharField(label=gettext_lazy("Registered name"), max_length=120)
    registration = forms.CharField(label=gettext_lazy("Registration number"), max_length=40)
    website = forms.URLField(
        label=gettext_lazy("Website"), max_length=200, required=False, assume_scheme="https", widget=forms.TextInput
    )
    contact = forms.CharField(
        label=gettext_lazy("Customer service contact"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Shown on every order page."),
    )
    email = forms.EmailField(
        label=gettext_lazy("Owner's email address"),
        max_length=254,
        help_text=gettext_lazy("They will be invited to the merchant console."),
    )


@require_safe
@console_page(*VIEWERS)
def merchant_list(colleague: Colleague) -> HttpResponse:
    """Merchants being onboarded or suspended, and the latest that were decided."""
    return colleague.render(
        "office/merchants.html",
        MENU_ITEM.label,
        onboarding=merchant_queries.onboarding_or_suspended(),
        newest=merchant_queries.latest_decided(),
        can_register=colleague.is_in_groups(APPLICATION_GROUPS),
        most=SHOWN_MAX,
    )


@console_page(*APPLICATION_GROUPS)
def register_application(colleague: Colleague) -> HttpResponse:
    """Register a business's application."""
    return render_action(
        colleague,
        gettext_lazy("Register application"),
        about=str(MENU_ITEM.label),
        back=reverse("merchants"),
        form=ApplicationForm(colleague.form_data, row=None),
        preview=_application_preview,
        run=partial(_register, colleague),
    )


def _application_preview() -> StrOrPromise:
    return _(
        "The merchant gets a sandbox right away and its owner an email with a link. Nothing goes live until all"
        " checks pass, two colleagues approve and it is taken live."
    )


def _register(colleague: Colleague, data: dict[str, Any]) -> ActionResult:
    fields = {name: data[name] for name in ("name", "legal_name", "registration", "website", "contact")}
    live, done = merchant_onboarding.register_application(
        Application(**fields), data["email"], data["note"], by=colleague.actor, at=colleague.at
    )
    return ActionResult(
        _("Application of %(name)s registered: %(id)s.") % {"name": live.name, "id": live.public_id}, done.follow_up
    )


@require_safe
@console_page(*VIEWERS)
def merchant(colleague: Colleague, merchant: str) -> HttpResponse:
    """The merchant's detail page."""
    detail, _at = _merchant_detail(colleague, merchant)
    row = detail.merchant
    current_step = (
        ONBOARDING_STEPS.index("active" if row.is_onboarded else row.state)
        if row.state != Merchant.State.REFUSED
        else -1
    )
    return colleague.render(
        "office/merchant.html",
        row.name,
        detail=detail,
        merchant=row,
        onboarding_steps=[
            (state, number < current_step, number == current_step) for number, state in enumerate(ONBOARDING_STEPS)
        ],
        checks=[(CHECK_LABELS[name], row) for name, row in detail.checks],
        names=usernames_of({line.by for line in detail.history} | {row.by for _name, row in detail.checks if row}),
        most=SHOWN_MAX,
    )


@require_safe
@console_page(*VIEWERS)
def statement(colleague: Colleague, merchant: str) -> HttpResponse:
    """A preview of the merchant's settlements if the settlement day ended now. Nothing is saved."""
    detail, at = _merchant_detail(colleague, merchant)
    row = detail.merchant
    ends = row.settles_at if row.settles_at > at else next_cutoff(at, row.cutoff_zone, row.cutoff_hour)
    context: dict[str, Any] = {"ends": ends}
    try:
        context["rows"] = preview_settlements(row.id, at=at)
    except Refusal as refusal:
        context["refused"] = refusal.detail
    return colleague.render("office/statement.html", gettext_lazy("Settlement preview"), merchant=row, at=at, **context)


def _merchant_detail(colleague: Colleague, merchant: str) -> tuple[MerchantDetail, datetime]:
    key = ids.parse(Merchant.prefix, merchant)
    row = Merchant.objects.select_related("realm").filter(pk=key).first() if key else None
    at = now_in(row.realm) if row else colleague.at
    detail = merchant_queries.merchant_detail(row.id, at=at) if row else None
    if detail is None:
        raise Http404
    return detail, at
