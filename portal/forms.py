"""Form fields and the form page of the merchant console."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _

from kernel.console_actions import add_errors
from kernel.forms import parse_minor
from kernel.money import AMOUNT_MINOR_MAX
from kernel.refusal import NotFound, Refusal
from portal.staff import Staff, StrOrPromise

REASON_MAX = 100


class AmountField(forms.CharField):
    """An amount in major units of one currency; cleans to minor units."""

    def __init__(self, *, currency: str, **kwargs: Any) -> None:
        self.currency = currency
        super().__init__(max_length=14, widget=forms.TextInput(attrs={"inputmode": "decimal"}), **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        minor = parse_minor(text, self.currency)
        if minor is None or minor > AMOUNT_MINOR_MAX:
            raise forms.ValidationError(_("Enter a valid amount in %(currency)s."), params={"currency": self.currency})
        return minor


class AnyCurrencyAmountField(forms.DecimalField):
    """An amount in major units, compared with amounts in any currency."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal"})
        words = _("Compared in each order's own currency.")
        super().__init__(min_value=0, max_digits=12, decimal_places=3, widget=widget, help_text=words, **kwargs)


class ChangeForm(forms.Form):
    """A form that edits an existing row. It sends the initial values along, so that only fields the user changed are
    saved and concurrent changes of other fields are kept.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True

    @property
    def changes(self) -> dict[str, Any]:
        """The fields the user changed."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


def reason_field() -> forms.CharField:
    return forms.CharField(
        label=_("Reason"), max_length=REASON_MAX, help_text=_("Recorded in the change log with your name.")
    )


def render_form(
    staff: Staff,
    form: forms.Form,
    run: Callable[[dict[str, Any]], HttpResponse],
    *,
    title: StrOrPromise,
    button: StrOrPromise,
    back: str,
    lead: StrOrPromise = "",
    danger: bool = False,
    **context: Any,
) -> HttpResponse:
    """A page with one form. A valid submission is run once; a repeated one only redirects back."""
    if staff.is_post and form.is_valid():
        try:
            return run(form.cleaned_data) if staff.claim_submission() else _redirect(back)
        except NotFound:
            raise
        except Refusal as refusal:
            add_errors(form, refusal)
    frame = {"form": form, "title": title, "button": button, "back": back, "lead": lead, "danger": danger}
    return staff.render("portal/form.html", status=422 if form.errors else 200, **frame, **context)


def _redirect(back: str) -> HttpResponse:
    response = HttpResponse(status=302)
    response["Location"] = back
    return response
