"""Forms of the sandbox pages: a test user's bank behaviour, and acting as a test user."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.channels.bank import Behaviour
from billing.services.instruments import Script
from credit.models import Agreement
from kernel.templatetags.formatting import currency_name
from portal import labels
from portal.forms import AmountField


class BehaviourForm(forms.Form):
    """How a test user's bank account behaves."""

    behaviour = forms.ChoiceField(label=gettext_lazy("Behaviour"), choices=list(labels.BEHAVIOUR_LABELS.items()))
    days = forms.IntegerField(
        label=gettext_lazy("Number of days"),
        min_value=1,
        max_value=365,
        required=False,
        help_text=gettext_lazy("Only for “Insufficient funds for some days”."),
    )

    def __init__(self, data: Any, *, currencies: list[str], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        asked = (data or {}).get("currency")
        currency = asked if asked in currencies else currencies[0]
        part = _("Only for “Balance covers only part”.")
        amount = AmountField(label=_("Account balance"), currency=currency, required=False, help_text=part)
        self.fields["amount"] = amount
        if len(currencies) > 1:
            of = [(code, currency_name(code)) for code in currencies]
            self.fields["currency"] = forms.ChoiceField(label=_("Currency"), choices=of, required=False, help_text=part)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("behaviour") == Behaviour.NO_FUNDS_UNTIL and not data.get("days"):
            self.add_error("days", _("Enter the number of days."))
        if data.get("behaviour") == Behaviour.PARTIAL_BALANCE and data.get("amount") is None:
            self.add_error("amount", _("Enter the balance."))
        return data

    def script(self, at: datetime) -> Script:
        data = self.cleaned_data
        behaviour = Behaviour(data["behaviour"])
        until = at + timedelta(days=data["days"]) if behaviour is Behaviour.NO_FUNDS_UNTIL else None
        return Script(behaviour, until, data["amount"] if behaviour is Behaviour.PARTIAL_BALANCE else None)


class NewPersonForm(BehaviourForm):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=40, initial="艾达")
    field_order = ("name", "behaviour", "days", "amount")


class SignAgreementForm(forms.Form):
    """The service to open."""

    service = forms.ChoiceField(label=gettext_lazy("Service"))

    def __init__(self, *args: Any, services: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["service"].choices = services  # type: ignore[attr-defined]


class OrderForm(forms.Form):
    """The agreement, title and amount of an order."""

    agreement = forms.ChoiceField(label=gettext_lazy("Service"))
    title = forms.CharField(label=gettext_lazy("Title"), max_length=100, initial="共享充电宝")

    def __init__(self, data: Any, *, signed: dict[str, Agreement]) -> None:
        super().__init__(data)
        choices = [(key, f"{row.service.name} · {row.service.currency}") for key, row in signed.items()]
        self.fields["agreement"].choices = choices  # type: ignore[attr-defined]
        chosen = signed.get((data or {}).get("agreement", ""))
        currency = chosen.service.currency if chosen else "CNY"
        help_text = _("Only for services whose amount is known when ordered.")
        self.fields["amount"] = AmountField(label=_("Amount"), currency=currency, required=False, help_text=help_text)
