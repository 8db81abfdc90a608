"""/ops/reveal/…: what of a person stands masked everywhere is read here, part by part, with a reason that is kept."""

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy

from accounts.models import Person
from kernel import ids
from kernel.console_actions import NOTE_LENGTH_MAX, Colleague, Words, page, show_errors
from kernel.refusal import Refusal

REVEALERS = ("support", "collections", "risk", "supervisor")
PARTS: dict[str, Words] = {
    "name": gettext_lazy("Name"),
    "phone": gettext_lazy("Phone"),
    "mail": gettext_lazy("Email on file"),
    "id_number": gettext_lazy("ID number"),
}


class RevealForm(forms.Form):
    """Which parts, and why."""

    parts = forms.MultipleChoiceField(
        label=gettext_lazy("Data you need to view"),
        choices=list(PARTS.items()),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Select only what this reason requires."),
    )
    note = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=NOTE_LENGTH_MAX,
        help_text=gettext_lazy("Recorded in the audit log with your name, what you viewed and from where."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@page(*REVEALERS)
def reveal(colleague: Colleague, person: str) -> HttpResponse:
    """What is asked for is shown once, on this answer alone, and written down before it is shown."""
    key = ids.parse(Person.prefix, person)
    found = Person.objects.select_related("user").filter(pk=key).first() if key else None
    if found is None:
        raise Http404
    form, shown = RevealForm(colleague.given), list[tuple[Words, str]]()
    if colleague.posts and form.is_valid():
        try:
            if colleague.sends_first():
                with colleague.sends_again():
                    shown = _read(colleague, found, form.cleaned_data)
                form = RevealForm()
        except Refusal as refusal:
            show_errors(form, refusal)
    return colleague.show(
        "office/reveal.html",
        gettext_lazy("View personal data"),
        status=422 if form.errors else 200,
        person=found,
        form=form,
        shown=shown,
    )


def _read(colleague: Colleague, person: Person, wish: dict[str, Any]) -> list[tuple[Words, str]]:
    """The parts in clear; that they were read stands in the audit before."""
    colleague.audit("revealed", person.public_id, wish["note"], parts=wish["parts"])
    user = person.user
    clear = {
        "name": person.reveal_name,
        "phone": user.reveal_phone if user else str,
        "mail": person.reveal_mail,
        "id_number": person.reveal_id_number,
    }
    return [(PARTS[part], clear[part]() or "–") for part in wish["parts"]]
