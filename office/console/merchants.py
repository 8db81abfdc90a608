"""/ops/merchants/: who is on the way in, taking one in, and a merchant as a whole with what may be done to it."""

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
from kernel.actor_names import names_of
from kernel.admin_site import VIEWERS
from kernel.clock import now_in
from kernel.console_actions import Colleague, Desk, Done, VerbForm, Words, deed, page
from kernel.refusal import Refusal
from merchants.models import Merchant
from merchants.rules.cutoff import next_cutoff
from merchants.services import Application
from office.queries import merchants as found
from office.queries.merchants import SHOWN_MAX, MerchantStory
from office.services import joining
from office.services.foresight import statement_of

#: Who takes applications.
TAKERS = ("support", "risk", "supervisor")
DESK = Desk("merchants", gettext_lazy("Merchants"), gettext_lazy("Merchants onboarding and onboarded"), VIEWERS)
CHECKS: dict[str, Words] = {
    "registration": gettext_lazy("Company registration"),
    "licence": gettext_lazy("Industry licences"),
    "sanctions": gettext_lazy("Sanctions screening (business and owners)"),
    "website": gettext_lazy("Website, prices and terms"),
    "contact": gettext_lazy("Contact (called back)"),
}
#: The way in, as it is drawn.
WAY = ("applied", "checked", "approved", "active")


class ApplicationForm(VerbForm):
    """What a business says of itself."""

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
@page(*VIEWERS)
def merchants(colleague: Colleague) -> HttpResponse:
    """The way in first, then whoever was let in last."""
    return colleague.show(
        "office/merchants.html",
        DESK.label,
        waiting=found.waiting(),
        newest=found.newest(),
        may_take=colleague.may(TAKERS),
        most=SHOWN_MAX,
    )


@page(*TAKERS)
def take(colleague: Colleague) -> HttpResponse:
    """A business applies."""
    return deed(
        colleague,
        gettext_lazy("Register application"),
        about=str(DESK.label),
        back=reverse("merchants"),
        form=ApplicationForm(colleague.given, row=None),
        preview=_before_taking,
        run=partial(_take, colleague),
    )


def _before_taking() -> Words:
    return _(
        "The merchant gets a sandbox right away and its owner an email with a link. Nothing goes live until all"
        " checks pass, two colleagues approve and it is taken live."
    )


def _take(colleague: Colleague, wish: dict[str, Any]) -> Done:
    said = {name: wish[name] for name in ("name", "legal_name", "registration", "website", "contact")}
    live, done = joining.take_application(
        Application(**said), wish["email"], wish["note"], by=colleague.actor, at=colleague.at
    )
    return Done(_("Application of %(name)s registered: %(id)s.") % {"name": live.name, "id": live.public_id}, done.then)


@require_safe
@page(*VIEWERS)
def merchant(colleague: Colleague, merchant: str) -> HttpResponse:
    """All that belongs to one."""
    story, _at = _story(colleague, merchant)
    here = story.merchant
    reached = WAY.index("active" if here.joined else here.state) if here.state != Merchant.State.REFUSED else -1
    return colleague.show(
        "office/merchant.html",
        here.name,
        story=story,
        merchant=here,
        way=[(state, number < reached, number == reached) for number, state in enumerate(WAY)],
        checks=[(CHECKS[name], row) for name, row in story.checks],
        names=names_of({line.by for line in story.history} | {row.by for _name, row in story.checks if row}),
        most=SHOWN_MAX,
    )


@require_safe
@page(*VIEWERS)
def statement(colleague: Colleague, merchant: str) -> HttpResponse:
    """What its statement would say if its day ended now. Nothing of it is kept."""
    story, at = _story(colleague, merchant)
    row = story.merchant
    ends = row.settles_at if row.settles_at > at else next_cutoff(at, row.cutoff_zone, row.cutoff_hour)
    shown: dict[str, Any] = {"ends": ends}
    try:
        shown["rows"] = statement_of(row.id, at=at)
    except Refusal as refusal:
        shown["refused"] = refusal.detail
    return colleague.show("office/statement.html", gettext_lazy("Settlement preview"), merchant=row, at=at, **shown)


def _story(colleague: Colleague, merchant: str) -> tuple[MerchantStory, datetime]:
    key = ids.parse(Merchant.prefix, merchant)
    row = Merchant.objects.select_related("realm").filter(pk=key).first() if key else None
    at = now_in(row.realm) if row else colleague.at
    story = found.story_of(row.id, at=at) if row else None
    if story is None:
        raise Http404
    return story, at
