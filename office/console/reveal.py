"""/ops/reveal/<person>: shows selected personal data that is masked everywhere else; needs a reason and is audited."""

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy

from accounts.models import Person
from kernel import ids
from kernel.console_actions import NOTE_LENGTH_MAX, Colleague, StrOrPromise, add_errors, console_page
from kernel.refusal import Refusal

REVEAL_GROUPS = ("support", "collections", "risk", "supervisor")
PART_LABELS: dict[str, StrOrPromise] = {
    "name": gettext_lazy("Name"),
    "phone": gettext_lazy("Phone"),
    "mail": gettext_lazy("Email on file"),
    "id_number": gettext_lazy("ID number"),
}


class RevealForm(forms.Form):
    """Which parts to reveal, and why."""

    parts = forms.MultipleChoiceField(
        label=gettext_lazy("Data you need to view"),
        choices=list(PART_LABELS.items()),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Select only what this reason requires."),
    )
    note = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=NOTE_LENGTH_MAX,
        help_text=gettext_lazy("Recorded in the audit log with your name, what you viewed and from where."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@console_page(*REVEAL_GROUPS)
def reveal(colleague: Colleague, person: str) -> HttpResponse:
    """Show the selected parts in this one response, after the audit line is written."""
    key = ids.parse(Person.prefix, person)
    found = Person.objects.select_related("user").filter(pk=key).first() if key else None
    if found is None:
        raise Http404
    form, revealed = RevealForm(colleague.form_data), list[tuple[StrOrPromise, str]]()
    if colleague.is_post and form.is_valid():
        try:
            if colleague.claim_submission():
                with colleague.allow_resubmission():
                    revealed = _reveal_parts(colleague, found, form.cleaned_data)
                form = RevealForm()
        except Refusal as refusal:
            add_errors(form, refusal)
    return colleague.render(
        "office/reveal.html",
        gettext_lazy("View personal data"),
        status=422 if form.errors else 200,
        person=found,
        form=form,
        shown=revealed,
    )


def _reveal_parts(colleague: Colleague, person: Person, data: dict[str, Any]) -> list[tuple[StrOrPromise, str]]:
    """The unmasked parts, after recording the access in the audit log."""
    colleague.audit("revealed", person.public_id, data["note"], parts=data["parts"])
    user = person.user
    clear = {
        "name": person.reveal_name,
        "phone": user.reveal_phone if user else str,
        "mail": person.reveal_mail,
        "id_number": person.reveal_id_number,
    }
    return [(PART_LABELS[part], clear[part]() or "–") for part in data["parts"]]
