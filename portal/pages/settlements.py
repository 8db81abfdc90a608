"""What a merchant is paid: settlements, each with its lines; and where the money goes, which two people decide."""

from collections.abc import Iterator
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing import statements
from billing.models import PayoutAccount, Settlement
from billing.services import payout_accounts
from billing.services.payout_accounts import NAMES_MAX, Account
from billing.statement_paper import statement_paper
from kernel.csvfile import MARK, cell, csv_lines
from kernel.forms import plain
from kernel.money import Money
from kernel.paging import page as page_of
from kernel.paper import pdf_of
from portal import book, log
from portal.forms import ask
from portal.services import payouts
from portal.staff import Staff, page

SETTLEMENTS_A_PAGE, LINES_A_PAGE = 20, 50
_FORM = require_http_methods(["GET", "HEAD", "POST"])
_HEAD = (
    "booked_at",
    "kind",
    "out_order_no",
    "order",
    "title",
    "amount",
    "currency",
    "posting",
    "settlement",
    "carried_from",
)


class NewAccount(forms.Form):
    """An account of the merchant's at a bank."""

    holder = forms.CharField(label=gettext_lazy("Account holder"), max_length=NAMES_MAX)
    bank = forms.CharField(label=gettext_lazy("Bank"), max_length=NAMES_MAX)
    number = forms.CharField(
        label=gettext_lazy("Account number"),
        max_length=60,
        help_text=gettext_lazy("8 to 34 letters and digits; spaces are ignored."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


@require_safe
@page("settlements")
def settlements(staff: Staff) -> HttpResponse:
    """What the book says is theirs, where it goes, and what was settled, newest first."""
    cursor = staff.request.GET.get("cursor") or None
    mine = staff.merchant.id
    rows, further = page_of(statements.settlements_of(mine), cursor=cursor, limit=SETTLEMENTS_A_PAGE)
    asked = statements.account_asked(mine)
    return staff.show(
        "portal/settlements.html",
        accounts=book.accounts_of(staff.merchant),
        rows=rows,
        further=further,
        first=cursor is None,
        account_in_force=statements.account_in_force(mine, at=staff.at),
        coming=statements.account_to_come(mine, at=staff.at),
        asked=asked,
        asked_by=log.names_of([asked.asked_by]).get(asked.asked_by, asked.asked_by) if asked else "",
        own=asked is not None and asked.asked_by == str(staff.actor),
        cutoff=f"{staff.merchant.cutoff_hour:02}:00",
    )


@require_safe
@page("settlement")
def settlement(staff: Staff, settlement: str) -> HttpResponse:
    """One of them, and what it is made of."""
    found = _mine(staff, settlement)
    cursor = staff.request.GET.get("cursor") or None
    rows, further = page_of(statements.lines_of(found), cursor=cursor, limit=LINES_A_PAGE)
    return staff.show(
        "portal/settlement.html",
        settlement=found,
        payout=statements.payout_of(found),
        returned=statements.returned_of(found),
        carried_into=statements.carried_into(found),
        lines=statements.with_orders(rows),
        further=further,
        first=cursor is None,
    )


@require_safe
@page("export_settlement")
def export_settlement(staff: Staff, settlement: str) -> HttpResponseBase:
    """All of its lines, as a file that a spreadsheet opens and never calculates."""
    found = _mine(staff, settlement)
    rows = chain([_HEAD], _cells(found))
    answer = StreamingHttpResponse(chain([MARK], csv_lines(rows)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{found.public_id}.csv"'
    return answer


@require_safe
@page("print_settlement")
def print_settlement(staff: Staff, settlement: str) -> HttpResponse:
    """Its statement, to keep and to file."""
    found = _mine(staff, settlement)
    answer = HttpResponse(pdf_of(statement_paper(found, at=staff.at)), content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="{found.public_id}.pdf"'
    return answer


def _cells(found: Settlement) -> Iterator[list[str]]:
    zone = ZoneInfo(settings.CONSOLE_ZONE)
    for line in statements.every_line(found):
        row, order = line.row, line.order
        moment = row.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        about = [order.out_order_no, order.public_id, order.title] if order else ["", "", ""]
        amount = plain(Money(row.amount_minor, found.currency))  # a number of ours: it may begin with a minus
        origin = [
            f"pst_{row.posting_id.hex}" if row.posting_id else "",
            found.public_id,
            f"stl_{row.earlier_id.hex}" if row.earlier_id else "",
        ]
        yield [moment, row.kind, *map(cell, about), amount, found.currency, *origin]


@_FORM
@page("ask_payout_account")
def ask_account(staff: Staff) -> HttpResponse:
    def run(given: dict[str, Any]) -> HttpResponse:
        payout_accounts.ask_payout_account(staff.merchant.id, Account(**given), by=staff.actor, at=staff.at)
        staff.tell(_("Another person must now approve it. Your owners have been emailed."))
        return staff.to("settlements")

    title = _("Change payout account")
    lead = _("Another of your owners or our staff must approve it. It takes effect one day later.")
    button, back = _("Submit request"), staff.url("settlements")
    return ask(staff, NewAccount(staff.given), run, title=title, button=button, back=back, lead=lead)


@_FORM
@page("agree_payout_account")
def agree(staff: Staff, account: str) -> HttpResponse:
    found = _account(staff, account)

    def run(_given: dict[str, Any]) -> HttpResponse:
        payouts.agree(found, staff.member, by=staff.actor, at=staff.at)
        staff.tell(_("Approved. It takes effect in one day."))
        return staff.to("settlements")

    title = _("Approve this account")
    lead = _("Call the requester on a number you already know. Do not approve because of an email alone.")
    return _decided(staff, found, run, title=title, lead=lead)


@_FORM
@page("refuse_payout_account")
def refuse(staff: Staff, account: str) -> HttpResponse:
    found = _account(staff, account)

    def run(_given: dict[str, Any]) -> HttpResponse:
        payout_accounts.refuse_payout_account(found.id, by=staff.actor, at=staff.at)
        staff.tell(_("Unchanged."))
        return staff.to("settlements")

    return _decided(
        staff,
        found,
        run,
        title=_("Reject this account"),
        lead=_("Payouts continue to the current account."),
        danger=True,
    )


def _decided(
    staff: Staff, found: PayoutAccount, run: Any, *, title: str, lead: str, danger: bool = False
) -> HttpResponse:
    about, back = f"{found.holder} · {found.bank} · {found.number_masked}", staff.url("settlements")
    form = forms.Form(staff.given)
    return ask(staff, form, run, title=title, button=title, back=back, lead=lead, danger=danger, about=about)


def _mine(staff: Staff, settlement: str) -> Settlement:
    return statements.settlement_of(staff.merchant.id, staff.named("stl", settlement))


def _account(staff: Staff, account: str) -> PayoutAccount:
    return statements.account_of(staff.merchant.id, staff.named("pac", account))
