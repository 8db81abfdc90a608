"""The page to publish a version of the dispute liability policy."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.disputes import REASON_LABELS
from billing.dispute_labels import BEARER_LABELS
from billing.dispute_terms import (
    ANY_OTHER_CODE,
    REASON_CODES,
    DisputeTerms,
    Liability,
    ServiceOverride,
    parse_terms,
    terms_to_json,
)
from billing.models import DisputePolicy
from billing.services.dispute_policies import preview_dispute_terms, validate_dispute_terms
from kernel.console_actions import Colleague, MenuItem, ReasonForm, StrOrPromise, console_page
from kernel.maker_checker import JsonDict
from kernel.policy_pages import Policy, approval_type_of_policy, publish_page

PUBLISHERS = ("supervisor", "risk")
MENU_ITEM = MenuItem(
    "dispute_policy",
    gettext_lazy("Dispute liability policy"),
    gettext_lazy("By channel reason, and whether to contest first"),
    PUBLISHERS,
)
CONTEST_FIRST, IMMEDIATE = "heard", "final"
_CHOICES = [
    ("person final", gettext_lazy("Customer owes again, immediately")),
    ("person heard", gettext_lazy("Customer owes again; contest first")),
    ("merchant final", gettext_lazy("Merchant bears it, immediately")),
    ("merchant heard", gettext_lazy("Merchant bears it; contest first")),
    ("platform final", gettext_lazy("Platform bears it, immediately")),
    ("platform heard", gettext_lazy("Platform bears it; contest first")),
]
_EXCEPTION_WORDS = 3


def _liability_field(label: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=_CHOICES)


class DisputePolicyForm(ReasonForm):
    """The terms of a new version, initially those of the current one."""

    no_funds = _liability_field(REASON_LABELS["no_funds"])
    account_closed = _liability_field(REASON_LABELS["account_closed"])
    not_authorised = _liability_field(REASON_LABELS["not_authorised"])
    not_received = _liability_field(REASON_LABELS["not_received"])
    not_as_agreed = _liability_field(REASON_LABELS["not_as_agreed"])
    duplicate = _liability_field(REASON_LABELS["duplicate"])
    otherwise = _liability_field(gettext_lazy("Any other channel reason"))
    answer_days = forms.IntegerField(label=gettext_lazy("Days to answer"), min_value=1)
    exceptions = forms.CharField(
        label=gettext_lazy("Exceptions by service"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy(
            "One per line: service ID, channel reason code (or otherwise), and person, merchant or platform."
        ),
    )

    def clean_exceptions(self) -> str:
        """The exceptions, one per line, with single spaces between words."""
        lines = [" ".join(line.split()) for line in self.cleaned_data["exceptions"].splitlines() if line.strip()]
        invalid = next((line for line in lines if not _is_exception(line)), None)
        if invalid is not None:
            raise forms.ValidationError(_("This line is invalid: %(line)s"), params={"line": invalid[:80]})
        return "\n".join(lines)


def _is_exception(line: str) -> bool:
    words = line.split(" ")
    return len(words) == _EXCEPTION_WORDS and words[1] in (*REASON_CODES, ANY_OTHER_CODE) and words[2] in BEARER_LABELS


def _form_fields(plain: JsonDict) -> JsonDict:
    terms = parse_terms(plain)
    choices = {word: f"{one.bearer} {CONTEST_FIRST if one.heard else IMMEDIATE}" for word, one in terms.by_code.items()}
    lines = [f"{one.service} {one.word} {one.bearer}" for one in terms.exceptions]
    return {**choices, "answer_days": terms.answer_days, "exceptions": "\n".join(lines)}


def _terms_from(data: dict[str, Any]) -> JsonDict:
    choices = {word: data[word].split(" ") for word in (*REASON_CODES, ANY_OTHER_CODE)}
    return terms_to_json(
        DisputeTerms(
            by_code={word: Liability(bearer, heard == CONTEST_FIRST) for word, (bearer, heard) in choices.items()},
            exceptions=tuple(ServiceOverride(*line.split(" ")) for line in data["exceptions"].splitlines()),
            answer_days=data["answer_days"],
        )
    )


def _preview_impact(terms: JsonDict, at: datetime) -> StrOrPromise:
    text = _(
        "Of %(looked_at)d disputes in the last 90 days, %(moved)d would have been borne by another party:"
        " %(person)d by the customer, %(merchant)d by the merchant, %(platform)d by the platform; for %(heard)d it"
        " would have changed whether to contest first."
    )
    return text % asdict(preview_dispute_terms(terms, at=at))


POLICY = Policy(
    name="dispute_policy",
    label=MENU_ITEM.label,
    approval_label=gettext_lazy("Publish dispute liability policy"),
    model=DisputePolicy,
    publishers=PUBLISHERS,
    form=DisputePolicyForm,
    terms_to_fields=_form_fields,
    fields_to_terms=_terms_from,
    validate=validate_dispute_terms,
    preview_impact=_preview_impact,
)
APPROVAL_TYPES = [approval_type_of_policy(POLICY)]


@console_page(*PUBLISHERS)
def publish(colleague: Colleague) -> HttpResponse:
    """Publish a version. It applies to disputes opened from then on."""
    return publish_page(POLICY, colleague)
