"""Console pages of the ledger: a day's trial balance with recent income, and an account statement."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpResponse
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kernel import ids
from kernel.admin_site import VIEWERS
from kernel.clock import now_in
from kernel.console_actions import Colleague, MenuItem, StrOrPromise, console_page
from kernel.models import LIVE, Realm
from ledger import closing, statements
from ledger.account_names import ACCOUNT_NAMES, account_name
from ledger.accounts import CHART, CLEARING_PREFIX, LEDGER_TIMEZONE, OwnerKind, chart_entry
from ledger.models import ClosedDay, Posting

MENU_ITEM = MenuItem("book", _("Ledger"), _("Daily trial balance, income by day and account details"), VIEWERS)
#: The number of realms in the menu; others are reached by their id.
REALMS_SHOWN = 30
#: Income is shown for the day and the thirteen days before it.
INCOME_SPAN, STATEMENT_DAYS_MAX = timedelta(days=13), 366
#: The first and last day that can be shown; beyond them date arithmetic would overflow.
FIRST_DAY, LAST_DAY = date(1971, 1, 1), date(2999, 12, 31)
_ID_PREFIXES = {OwnerKind.MERCHANT: "mch", OwnerKind.PERSON: "per"}


class AccountForm(forms.Form):
    """Selects an account, its owner and a period."""

    #: Suggestions for the account field; clearing accounts have the channel's name after a colon.
    accounts = tuple(ACCOUNT_NAMES.items())

    code = forms.CharField(label=_("Account"), max_length=40, widget=forms.TextInput(attrs={"list": "accounts"}))
    owner = forms.CharField(label=_("Owner (mch_… or per_…)"), max_length=40, required=False)
    realm = forms.IntegerField(label=_("Environment"), required=False)
    first = forms.DateField(label=_("From"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))
    last = forms.DateField(label=_("Until"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        if code not in CHART and not (code.startswith(CLEARING_PREFIX) and len(code) > len(CLEARING_PREFIX)):
            raise forms.ValidationError(_("No such account in the chart of accounts."))
        return code

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "code" in data:
            data["key"] = self._parse_owner(chart_entry(data["code"]).owner, str(data.get("owner", "")))
        first, last = data.get("first"), data.get("last")
        if (
            first
            and last
            and not (
                timedelta() <= last - first <= timedelta(days=STATEMENT_DAYS_MAX)
                and FIRST_DAY <= first <= last <= LAST_DAY
            )
        ):
            self.add_error(
                "last", _("The end date cannot be before the start date, and the period cannot exceed one year.")
            )
        return data

    def _parse_owner(self, kind: OwnerKind, text: str) -> UUID | None:
        if kind is OwnerKind.NONE:
            return None
        key = ids.parse(_ID_PREFIXES[kind], text.strip())
        if key is None:
            self.add_error("owner", _("This account is kept per owner; enter mch_… or per_…."))
        return key


@console_page(*VIEWERS)
def trial_balance_page(colleague: Colleague) -> HttpResponse:
    """Show a ledger day: opening balance, turnover and closing balance of every account, and recent income."""
    realm = _realm_from_query(colleague)
    today = now_in(realm).astimezone(ZoneInfo(LEDGER_TIMEZONE)).date()
    on = _day_from_query(colleague, "on") or today
    start, end = closing.day_bounds(on)
    rows = statements.daily_trial_balance(realm.id, start, end)
    closed = ClosedDay.objects.filter(realm=realm, covers_on=on).first()
    return colleague.render(
        "console/trial_balance.html",
        MENU_ITEM.label,
        on=on,
        realm=realm,
        world=_realm_label(realm),
        worlds=[(one.pk, _realm_label(one)) for one in Realm.objects.order_by("pk")[:REALMS_SHOWN]],
        rows=[(row, account_name(row.code), chart_entry(row.code).owner is OwnerKind.NONE) for row in rows],
        totals=_totals(rows),
        closed=closed,
        earlier=on - timedelta(days=1),
        later=on + timedelta(days=1),
        income=[(row, account_name(row.code)) for row in statements.income(realm.id, start - INCOME_SPAN, end)],
        form=AccountForm(initial={"first": on - timedelta(days=30), "last": on, "realm": realm.id}),
    )


@console_page(*VIEWERS)
def account_page(colleague: Colleague) -> HttpResponse:
    """Show an account statement for a period."""
    realm = _realm_from_query(colleague)
    form = AccountForm(colleague.request.GET)
    if not form.is_valid():
        return colleague.render("console/ledger_account.html", _("Account"), status=422, form=form, realm=realm)
    data = form.cleaned_data
    start, end = closing.day_bounds(data["first"])[0], closing.day_bounds(data["last"])[1]
    found = statements.account_statement(realm.id, data["code"], data["key"], start, end)
    return colleague.render(
        "console/ledger_account.html",
        _("Account"),
        form=form,
        realm=realm,
        found=found,
        code=data["code"],
        name=account_name(data["code"]),
        owner=data["owner"],
        most=statements.LINES_MAX,
    )


def _realm_label(realm: Realm) -> StrOrPromise:
    return _("Live") if realm.pk == LIVE else format_lazy(_("Sandbox {number}"), number=realm.pk)


def _realm_from_query(colleague: Colleague) -> Realm:
    """The realm in the query string; by default the first one with postings, normally the live realm.

    Raises:
        Http404: there is no such realm.
    """
    text = colleague.request.GET.get("realm") or str(_first_realm_with_postings())
    plainly = text.isascii() and text.isdecimal() and len(text) <= len(f"{2**63}")
    found = Realm.objects.filter(pk=int(text)).first() if plainly else None
    if found is None:
        raise Http404
    return found


def _first_realm_with_postings() -> int:
    realms = Realm.objects.filter(Exists(Posting.objects.filter(realm=OuterRef("pk")))).order_by("pk")
    return realms.values_list("pk", flat=True).first() or LIVE


def _day_from_query(colleague: Colleague, name: str) -> date | None:
    """A day in the query string; None if it is missing or not valid."""
    try:
        day = date.fromisoformat(colleague.request.GET.get(name, ""))
    except ValueError:
        return None
    return day if FIRST_DAY <= day <= LAST_DAY else None


def _totals(rows: list[statements.AccountDay]) -> list[tuple[str, int, int]]:
    """The day's total debits and credits in each currency, which are equal."""
    sums: dict[str, tuple[int, int]] = {}
    for row in rows:
        debits, credits_ = sums.get(row.currency, (0, 0))
        sums[row.currency] = debits + row.debits, credits_ + row.credits
    return [(currency, *both) for currency, both in sorted(sums.items())]
