"""The book in the console: a day's trial balance, what came in, and one account line by line."""

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
from kernel.console_actions import Colleague, Desk, Words, page
from kernel.models import LIVE, Realm
from ledger import closing, statement
from ledger.models import ClosedDay, Posting
from ledger.rules import CHART, CLEARING, ZONE, Owner, entry
from ledger.wording import NAMES, name_of

DESK = Desk("book", _("Ledger"), _("Daily trial balance, income by day and account details"), VIEWERS)
#: So many worlds are offered; any other is reached by its number.
WORLDS_SHOWN = 30
#: Income is shown for the day and the thirteen before it.
INCOME_SPAN, STATEMENT_DAYS_MAX = timedelta(days=13), 366
#: Days that a book of ours can have; beyond them no calendar can count on.
FIRST_DAY, LAST_DAY = date(1971, 1, 1), date(2999, 12, 31)
_PREFIXES = {Owner.MERCHANT: "mch", Owner.PERSON: "per"}


class AccountForm(forms.Form):
    """Which account, whose, from which day to which."""

    #: What is offered while one types; what stands at a channel has the channel's name behind a colon.
    accounts = tuple(NAMES.items())

    code = forms.CharField(label=_("Account"), max_length=40, widget=forms.TextInput(attrs={"list": "accounts"}))
    owner = forms.CharField(label=_("Owner (mch_… or per_…)"), max_length=40, required=False)
    realm = forms.IntegerField(label=_("Environment"), required=False)
    first = forms.DateField(label=_("From"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))
    last = forms.DateField(label=_("Until"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        if code not in CHART and not (code.startswith(CLEARING) and len(code) > len(CLEARING)):
            raise forms.ValidationError(_("No such account in the chart of accounts."))
        return code

    def clean(self) -> dict[str, Any]:
        wish = super().clean() or {}
        if "code" in wish:
            wish["key"] = self._owner(entry(wish["code"]).owner, str(wish.get("owner", "")))
        first, last = wish.get("first"), wish.get("last")
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
        return wish

    def _owner(self, kind: Owner, text: str) -> UUID | None:
        if kind is Owner.NONE:
            return None
        key = ids.parse(_PREFIXES[kind], text.strip())
        if key is None:
            self.add_error("owner", _("This account is kept per owner; enter mch_… or per_…."))
        return key


@page(*VIEWERS)
def book(colleague: Colleague) -> HttpResponse:
    """A day of the book: every account before, what it moved, and after; and what came in lately."""
    realm = _realm(colleague)
    today = now_in(realm).astimezone(ZoneInfo(ZONE)).date()
    on = _day(colleague, "on") or today
    begins, ends = closing.span(on)
    rows = statement.day_balance(realm.id, begins, ends)
    closed = ClosedDay.objects.filter(realm=realm, covers_on=on).first()
    return colleague.show(
        "console/book.html",
        DESK.label,
        on=on,
        realm=realm,
        world=_called(realm),
        worlds=[(one.pk, _called(one)) for one in Realm.objects.order_by("pk")[:WORLDS_SHOWN]],
        rows=[(row, name_of(row.code), entry(row.code).owner is Owner.NONE) for row in rows],
        totals=_totals(rows),
        closed=closed,
        earlier=on - timedelta(days=1),
        later=on + timedelta(days=1),
        income=[(row, name_of(row.code)) for row in statement.income(realm.id, begins - INCOME_SPAN, ends)],
        form=AccountForm(initial={"first": on - timedelta(days=30), "last": on, "realm": realm.id}),
    )


@page(*VIEWERS)
def account(colleague: Colleague) -> HttpResponse:
    """One account for some days, line by line."""
    realm = _realm(colleague)
    form = AccountForm(colleague.request.GET)
    if not form.is_valid():
        return colleague.show("console/account.html", _("Account"), status=422, form=form, realm=realm)
    wish = form.cleaned_data
    begins, ends = closing.span(wish["first"])[0], closing.span(wish["last"])[1]
    found = statement.account(realm.id, wish["code"], wish["key"], begins, ends)
    return colleague.show(
        "console/account.html",
        _("Account"),
        form=form,
        realm=realm,
        found=found,
        code=wish["code"],
        name=name_of(wish["code"]),
        owner=wish["owner"],
        most=statement.LINES_MAX,
    )


def _called(realm: Realm) -> Words:
    return _("Live") if realm.pk == LIVE else format_lazy(_("Sandbox {number}"), number=realm.pk)


def _realm(colleague: Colleague) -> Realm:
    """The world that is looked at: if nobody says, the first one of which anything is booked, and that is the live one.

    Raises:
        Http404: there is no such world.
    """
    text = colleague.request.GET.get("realm") or str(_booked())
    plainly = text.isascii() and text.isdecimal() and len(text) <= len(f"{2**63}")
    found = Realm.objects.filter(pk=int(text)).first() if plainly else None
    if found is None:
        raise Http404
    return found


def _booked() -> int:
    booked = Realm.objects.filter(Exists(Posting.objects.filter(realm=OuterRef("pk")))).order_by("pk")
    return booked.values_list("pk", flat=True).first() or LIVE


def _day(colleague: Colleague, name: str) -> date | None:
    """A day that was asked for, if it is one."""
    try:
        asked = date.fromisoformat(colleague.request.GET.get(name, ""))
    except ValueError:
        return None
    return asked if FIRST_DAY <= asked <= LAST_DAY else None


def _totals(rows: list[statement.DayOf]) -> list[tuple[str, int, int]]:
    """Debits and credits of the day in each currency: they are equal."""
    sums: dict[str, tuple[int, int]] = {}
    for row in rows:
        debits, credits_ = sums.get(row.currency, (0, 0))
        sums[row.currency] = debits + row.debits, credits_ + row.credits
    return [(currency, *both) for currency, both in sorted(sums.items())]
