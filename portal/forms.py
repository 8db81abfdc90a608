"""Forms of the console: every field with a label, and a refusal's words beside what they are about."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _

from kernel.console_actions import show_errors
from kernel.forms import minor_of
from kernel.money import MOST_MINOR
from kernel.refusal import NotFound, Refusal
from portal.staff import Staff, Words

REASON_MAX = 100


class AmountField(forms.CharField):
    """An amount as people write it, in the currency of what it is about; minor units come out."""

    def __init__(self, *, currency: str, **kwargs: Any) -> None:
        self.currency = currency
        super().__init__(max_length=14, widget=forms.TextInput(attrs={"inputmode": "decimal"}), **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        minor = minor_of(text, self.currency)
        if minor is None or minor > MOST_MINOR:
            raise forms.ValidationError(_("Enter a valid amount in %(currency)s."), params={"currency": self.currency})
        return minor


class SumField(forms.DecimalField):
    """An amount as people write it, of whatever currency it will be compared in; whole units of it come out."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal"})
        words = _("Compared in each order's own currency.")
        super().__init__(min_value=0, max_digits=12, decimal_places=3, widget=widget, help_text=words, **kwargs)


class Amendment(forms.Form):
    """A form that is filled with how things stand. It carries that along, so that of what comes back only what whoever
    sent it has changed counts: what others changed meanwhile stays theirs.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True

    @property
    def amended(self) -> dict[str, Any]:
        """What differs from how it was shown."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


def reason_field() -> forms.CharField:
    return forms.CharField(
        label=_("Reason"), max_length=REASON_MAX, help_text=_("Recorded in the change log with your name.")
    )


def ask(
    staff: Staff,
    form: forms.Form,
    run: Callable[[dict[str, Any]], HttpResponse],
    *,
    title: Words,
    button: Words,
    back: str,
    lead: Words = "",
    danger: bool = False,
    **shown: Any,
) -> HttpResponse:
    """A page that is one form: what would be done, its fields, and the button. A second click does nothing."""
    if staff.posts and form.is_valid():
        try:
            return run(form.cleaned_data) if staff.sends_first() else _back_to(back)
        except NotFound:
            raise
        except Refusal as refusal:
            show_errors(form, refusal)
    frame = {"form": form, "title": title, "button": button, "back": back, "lead": lead, "danger": danger}
    return staff.show("portal/form.html", status=422 if form.errors else 200, **frame, **shown)


def _back_to(back: str) -> HttpResponse:
    answer = HttpResponse(status=302)
    answer["Location"] = back
    return answer
