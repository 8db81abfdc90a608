"""The policy of who bears what channels take back: what is in force, and another version from now on."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.bearing import OTHERWISE, WORDS, Bearing, OfService, Terms, plain_terms, read_terms
from billing.console.disputes import CODES
from billing.dispute_words import BEARERS
from billing.models import DisputePolicy
from billing.services.dispute_policy import foresee_bearers, judge_dispute_terms
from kernel.console_actions import Colleague, Desk, VerbForm, Words, page
from kernel.maker_checker import Plain
from kernel.policy_pages import Policy, matter_of_policy, publish_page

PUBLISHERS = ("supervisor", "risk")
DESK = Desk(
    "dispute_policy",
    gettext_lazy("Dispute liability policy"),
    gettext_lazy("By channel reason, and whether to contest first"),
    PUBLISHERS,
)
HEARD, FINAL = "heard", "final"
_CHOICES = [
    ("person final", gettext_lazy("Customer owes again, immediately")),
    ("person heard", gettext_lazy("Customer owes again; contest first")),
    ("merchant final", gettext_lazy("Merchant bears it, immediately")),
    ("merchant heard", gettext_lazy("Merchant bears it; contest first")),
    ("platform final", gettext_lazy("Platform bears it, immediately")),
    ("platform heard", gettext_lazy("Platform bears it; contest first")),
]
_PARTS = 3


def _choice(label: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=_CHOICES)


class BearersForm(VerbForm):
    """The terms, as they are in force, to be changed."""

    no_funds = _choice(CODES["no_funds"])
    account_closed = _choice(CODES["account_closed"])
    not_authorised = _choice(CODES["not_authorised"])
    not_received = _choice(CODES["not_received"])
    not_as_agreed = _choice(CODES["not_as_agreed"])
    duplicate = _choice(CODES["duplicate"])
    otherwise = _choice(gettext_lazy("Any other channel reason"))
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
        """Each line's words with one blank between."""
        lines = [" ".join(line.split()) for line in self.cleaned_data["exceptions"].splitlines() if line.strip()]
        wrong = next((line for line in lines if not _is_exception(line)), None)
        if wrong is not None:
            raise forms.ValidationError(_("This line is invalid: %(line)s"), params={"line": wrong[:80]})
        return "\n".join(lines)


def _is_exception(line: str) -> bool:
    words = line.split(" ")
    return len(words) == _PARTS and words[1] in (*WORDS, OTHERWISE) and words[2] in BEARERS


def _fields(plain: Plain) -> Plain:
    terms = read_terms(plain)
    said = {word: f"{one.bearer} {HEARD if one.heard else FINAL}" for word, one in terms.words.items()}
    lines = [f"{one.service} {one.word} {one.bearer}" for one in terms.exceptions]
    return {**said, "answer_days": terms.answer_days, "exceptions": "\n".join(lines)}


def _terms(wish: dict[str, Any]) -> Plain:
    said = {word: wish[word].split(" ") for word in (*WORDS, OTHERWISE)}
    return plain_terms(
        Terms(
            words={word: Bearing(bearer, heard == HEARD) for word, (bearer, heard) in said.items()},
            exceptions=tuple(OfService(*line.split(" ")) for line in wish["exceptions"].splitlines()),
            answer_days=wish["answer_days"],
        )
    )


def _foreseen(terms: Plain, at: datetime) -> Words:
    says = _(
        "Of %(looked_at)d disputes in the last 90 days, %(moved)d would have been borne by another party:"
        " %(person)d by the customer, %(merchant)d by the merchant, %(platform)d by the platform; for %(heard)d it"
        " would have changed whether to contest first."
    )
    return says % asdict(foresee_bearers(terms, at=at))


POLICY = Policy(
    name="dispute_policy",
    label=DESK.label,
    matter=gettext_lazy("Publish dispute liability policy"),
    model=DisputePolicy,
    publishers=PUBLISHERS,
    form=BearersForm,
    fields=_fields,
    terms=_terms,
    judge=judge_dispute_terms,
    foresee=_foreseen,
)
MATTERS = [matter_of_policy(POLICY)]


@page(*PUBLISHERS)
def publish(colleague: Colleague) -> HttpResponse:
    """Another version counts for what is taken back from then on."""
    return publish_page(POLICY, colleague)
