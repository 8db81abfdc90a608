"""Console actions and pages for credit limits: change a person's limit, and publish the limit policy."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import convert

from accounts.models import Person
from credit import limits, rules
from credit.limit_policy import preview_limit_terms, validate_limit_terms
from credit.models import Limited, LimitPolicy, Profile
from credit.queries import currency_limits_of, is_pinned
from kernel.actor import Actor
from kernel.console_actions import Colleague, MenuItem, ReasonForm, RowAction, StrOrPromise, console_page
from kernel.forms import YuanField, parse_minor, plain_amount
from kernel.maker_checker import JsonDict
from kernel.money import Money
from kernel.policy_pages import Policy, approval_type_of_policy, publish_page
from kernel.refusal import NotFound
from kernel.templatetags.formatting import minor_amount

PUBLISHERS = ("supervisor", "risk")
MENU_ITEM = MenuItem(
    "limit_policy",
    gettext_lazy("Credit limits by score"),
    gettext_lazy("Credit limit of each score band, and how often it is reviewed"),
    PUBLISHERS,
)


def _get_profile(person: Person) -> Profile:
    """The person's profile.

    Raises:
        NotFound: there is no profile, or the person's data was erased.
    """
    profile = Profile.objects.filter(pk=person.pk, frozen_at__isnull=True).first()
    if profile is None:
        raise NotFound
    return profile


class LimitForm(ReasonForm):
    """A new credit limit."""

    currency = forms.ChoiceField(label=gettext_lazy("Currency"), required=False)
    limit = forms.CharField(label=gettext_lazy("New limit"), max_length=13)
    pinned = forms.BooleanField(
        label=gettext_lazy("Fix this limit regardless of score"),
        required=False,
        initial=True,
        help_text=gettext_lazy("Otherwise it follows the score from the next review."),
    )

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        codes = [limited.currency for limited in _limits(row)]
        if len(codes) == 1:
            del self.fields["currency"]
        else:
            choice = self.fields["currency"]
            choice.choices, choice.initial = [(code, code) for code in codes], codes[0]  # type: ignore[attr-defined]

    def clean_limit(self) -> int:
        currency = self.cleaned_data.get("currency") or _get_profile(self.row).currency
        minor = parse_minor(self.cleaned_data["limit"], currency)
        if minor is None:
            raise forms.ValidationError(_("An amount such as 12.34."))
        return minor


def _limits(person: Person) -> list[Limited]:
    """The person's limits in each currency, their own currency first."""
    return [_get_profile(person), *currency_limits_of(person.pk)]


def _has_limit(person: Person) -> bool:
    return Profile.objects.filter(pk=person.pk, frozen_at__isnull=True).exists()


def _current_limits(person: Person) -> dict[str, Any]:
    """The current limits and whether they are pinned, keyed by currency."""
    limits: dict[str, Any] = {"score": _get_profile(person).score}
    for row in _limits(person):
        limits[f"limit_{row.currency}"] = plain_amount(Money(row.limit_minor, row.currency))
        limits[f"pinned_{row.currency}"] = is_pinned(person.pk, row.currency)
    return limits


def _requested_limits(person: Person, data: dict[str, Any]) -> dict[str, Any]:
    """The requested values, under the same keys as the current ones."""
    code = data.get("currency") or _limits(person)[0].currency
    typed = data.get("limit", "")
    amount = parse_minor(typed, code)
    limit = typed if amount is None else plain_amount(Money(amount, code))
    return {f"limit_{code}": limit, f"pinned_{code}": data.get("pinned", False)}


def _describe_limits(person: Person, at: datetime) -> StrOrPromise:
    del at
    template = _(
        "Current limit %(limit)s, of which %(used)s is in use. Existing debt is not affected, even above the new limit."
    )
    return " ".join(
        template
        % {"limit": minor_amount(row.limit_minor, row.currency), "used": minor_amount(row.used_minor, row.currency)}
        for row in _limits(person)
    )


def _change_limit(person_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    currency = data.get("currency") or ""
    change = limits.change_limit(
        person_id, data["limit"], data["note"], currency=currency, pinned=data["pinned"], by=by, at=at
    )
    return _("Credit limit changed to %(limit)s.") % {"limit": minor_amount(change.limit_minor, change.currency)}


def _always_needs_approval(person: Person, data: Any) -> bool:
    del person, data
    return True


ROW_ACTIONS = [
    RowAction(
        "change_limit",
        Person,
        gettext_lazy("Change credit limit"),
        ("risk", "supervisor"),
        _describe_limits,
        _change_limit,
        LimitForm,
        applies_to=_has_limit,
        needs_approval=_always_needs_approval,
        approvers=("risk", "supervisor"),
        snapshot=_current_limits,
        requested=_requested_limits,
    )
]


def _band_field(min_score: int, name: str) -> YuanField:
    return YuanField(
        label=format_lazy(gettext_lazy("Band {name}, from a score of {floor}"), name=name, floor=min_score)
    )


class LimitsForm(ReasonForm):
    """The terms in force, to be edited."""

    D, C, B, A, S = (_band_field(floor, name) for floor, name, _limit in rules.BANDS)
    open_orders_max = forms.IntegerField(label=gettext_lazy("Maximum concurrent orders"))
    review_days = forms.IntegerField(
        label=gettext_lazy("Review interval (days)"),
        help_text=gettext_lazy("At a review the limit follows the customer's score, unless it is fixed by staff."),
    )
    raises = forms.BooleanField(
        label=gettext_lazy("Reviews may raise limits"),
        required=False,
        help_text=gettext_lazy("Never while something is overdue or on a payment plan."),
    )


def _terms_to_form(terms: JsonDict) -> JsonDict:
    values = {name: plain_amount(Money(minor)) for name, minor in terms["limits"].items()}
    return values | {name: terms[name] for name in ("open_orders_max", "review_days", "raises")}


def _form_to_terms(data: JsonDict) -> JsonDict:
    limits = {name: data[name] for _floor, name, _limit in rules.BANDS}
    return {"limits": limits} | {name: data[name] for name in ("open_orders_max", "review_days", "raises")}


def _validate(terms: JsonDict, why: str) -> None:
    validate_limit_terms(convert(terms, rules.LimitTerms), why)


def _preview_impact(terms: JsonDict, at: datetime) -> StrOrPromise:
    preview = preview_limit_terms(convert(terms, rules.LimitTerms), at=at)
    template = _(
        "Of the last %(decisions)d order requests, %(refused)d approved ones would have been declined and"
        " %(approved)d declined ones approved. Of %(people)d customers examined, %(higher)d would get a higher"
        " limit at their next review and %(lower)d a lower one; %(beyond)d of these already use more than that."
    )
    return template % asdict(preview)


POLICY = Policy(
    name="limit_policy",
    label=MENU_ITEM.label,
    approval_label=gettext_lazy("Publish credit limits by score"),
    model=LimitPolicy,
    publishers=PUBLISHERS,
    form=LimitsForm,
    terms_to_fields=_terms_to_form,
    fields_to_terms=_form_to_terms,
    validate=_validate,
    preview_impact=_preview_impact,
)
APPROVAL_TYPES = [approval_type_of_policy(POLICY)]


@console_page(*PUBLISHERS)
def publish(colleague: Colleague) -> HttpResponse:
    """Publish a policy version; it applies to decisions from then on, and to limits at their next review."""
    return publish_page(POLICY, colleague)
