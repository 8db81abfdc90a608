"""Settlements with their lines and statements, and the payout account, which needs dual approval."""

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

from billing import settlement_queries
from billing.models import PayoutAccount, Settlement
from billing.services import payout_accounts
from billing.services.payout_accounts import NAMES_MAX, AccountDetails
from billing.settlement_document import settlement_document
from kernel.csvfile import UTF8_BOM, csv_lines, safe_cell
from kernel.documents import render_pdf
from kernel.forms import plain_amount
from kernel.money import Money
from kernel.paging import paginate
from portal import balances, change_log
from portal.forms import render_form
from portal.services import payout_account_approval
from portal.staff import Staff, merchant_page

SETTLEMENTS_A_PAGE, LINES_A_PAGE = 20, 50
_FORM = require_http_methods(["GET", "HEAD", "POST"])
_CSV_HEADERS = (
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


class PayoutAccountForm(forms.Form):
    """A bank account of the merchant."""

    holder = forms.CharField(label=gettext_lazy("Account holder"), max_length=NAMES_MAX)
    bank = forms.CharField(label=gettext_lazy("Bank"), max_length=NAMES_MAX)
    number = forms.CharField(
        label=gettext_lazy("Account number"),
        max_length=60,
        help_text=gettext_lazy("8 to 34 letters and digits; spaces are ignored."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


@require_safe
@merchant_page("settlements")
def settlement_list(staff: Staff) -> HttpResponse:
    """Balances, the payout account, and settlements, newest first."""
    cursor = staff.request.GET.get("cursor") or None
    key = staff.merchant.id
    rows, next_cursor = paginate(settlement_queries.settlements_of(key), cursor=cursor, limit=SETTLEMENTS_A_PAGE)
    requested = settlement_queries.requested_payout_account(key)
    return staff.render(
        "portal/settlements.html",
        balances=balances.balances_of(staff.merchant),
        rows=rows,
        next_cursor=next_cursor,
        is_first_page=cursor is None,
        current_account=settlement_queries.effective_payout_account(key, at=staff.at),
        upcoming_account=settlement_queries.upcoming_payout_account(key, at=staff.at),
        requested_account=requested,
        asked_by=(
            change_log.actor_names([requested.asked_by]).get(requested.asked_by, requested.asked_by)
            if requested
            else ""
        ),
        is_own_request=requested is not None and requested.asked_by == str(staff.actor),
        cutoff=f"{staff.merchant.cutoff_hour:02}:00",
    )


@require_safe
@merchant_page("settlement")
def settlement(staff: Staff, settlement: str) -> HttpResponse:
    """One settlement and its lines."""
    found = _find_settlement(staff, settlement)
    cursor = staff.request.GET.get("cursor") or None
    rows, next_cursor = paginate(settlement_queries.lines_of(found), cursor=cursor, limit=LINES_A_PAGE)
    return staff.render(
        "portal/settlement.html",
        settlement=found,
        payout=settlement_queries.payout_of(found),
        returned=settlement_queries.payout_return_of(found),
        carried_into=settlement_queries.settlement_carrying(found),
        lines=settlement_queries.attach_orders(rows),
        next_cursor=next_cursor,
        is_first_page=cursor is None,
    )


@require_safe
@merchant_page("export_settlement")
def export_settlement(staff: Staff, settlement: str) -> HttpResponseBase:
    """All lines of a settlement as CSV, escaped so that spreadsheets run no formulas."""
    found = _find_settlement(staff, settlement)
    rows = chain([_CSV_HEADERS], _csv_rows(found))
    response = StreamingHttpResponse(chain([UTF8_BOM], csv_lines(rows)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{found.public_id}.csv"'
    return response


@require_safe
@merchant_page("print_settlement")
def print_settlement(staff: Staff, settlement: str) -> HttpResponse:
    """The settlement's statement as a PDF."""
    found = _find_settlement(staff, settlement)
    response = HttpResponse(render_pdf(settlement_document(found, at=staff.at)), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{found.public_id}.pdf"'
    return response


def _csv_rows(found: Settlement) -> Iterator[list[str]]:
    zone = ZoneInfo(settings.CONSOLE_ZONE)
    for line in settlement_queries.iterate_lines(found):
        row, order = line.row, line.order
        moment = row.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        about = [order.out_order_no, order.public_id, order.title] if order else ["", "", ""]
        amount = plain_amount(
            Money(row.amount_minor, found.currency)
        )  # our own number: not escaped, may begin with "-"
        origin = [
            f"pst_{row.posting_id.hex}" if row.posting_id else "",
            found.public_id,
            f"stl_{row.earlier_id.hex}" if row.earlier_id else "",
        ]
        yield [moment, row.kind, *map(safe_cell, about), amount, found.currency, *origin]


@_FORM
@merchant_page("ask_payout_account")
def request_payout_account(staff: Staff) -> HttpResponse:
    def run(data: dict[str, Any]) -> HttpResponse:
        payout_accounts.request_payout_account(staff.merchant.id, AccountDetails(**data), by=staff.actor, at=staff.at)
        staff.add_message(_("Another person must now approve it. Your owners have been emailed."))
        return staff.redirect_to("settlements")

    title = _("Change payout account")
    lead = _("Another of your owners or our staff must approve it. It takes effect one day later.")
    button, back = _("Submit request"), staff.url("settlements")
    return render_form(staff, PayoutAccountForm(staff.form_data), run, title=title, button=button, back=back, lead=lead)


@_FORM
@merchant_page("agree_payout_account")
def approve_payout_account(staff: Staff, account: str) -> HttpResponse:
    found = _find_account(staff, account)

    def run(_data: dict[str, Any]) -> HttpResponse:
        payout_account_approval.approve_as_owner(found, staff.member, by=staff.actor, at=staff.at)
        staff.add_message(_("Approved. It takes effect in one day."))
        return staff.redirect_to("settlements")

    title = _("Approve this account")
    lead = _("Call the requester on a number you already know. Do not approve because of an email alone.")
    return _render_decision(staff, found, run, title=title, lead=lead)


@_FORM
@merchant_page("refuse_payout_account")
def refuse_payout_account(staff: Staff, account: str) -> HttpResponse:
    found = _find_account(staff, account)

    def run(_data: dict[str, Any]) -> HttpResponse:
        payout_accounts.reject_payout_account(found.id, by=staff.actor, at=staff.at)
        staff.add_message(_("Unchanged."))
        return staff.redirect_to("settlements")

    return _render_decision(
        staff,
        found,
        run,
        title=_("Reject this account"),
        lead=_("Payouts continue to the current account."),
        danger=True,
    )


def _render_decision(
    staff: Staff, found: PayoutAccount, run: Any, *, title: str, lead: str, danger: bool = False
) -> HttpResponse:
    who = _("Requested by %(who)s.") % {"who": change_log.actor_names([found.asked_by]).get(found.asked_by, "—")}
    about, back = f"{found.holder} · {found.bank} · {found.number_masked} · {who}", staff.url("settlements")
    form = forms.Form(staff.form_data)
    return render_form(staff, form, run, title=title, button=title, back=back, lead=lead, danger=danger, about=about)


def _find_settlement(staff: Staff, settlement: str) -> Settlement:
    return settlement_queries.settlement_of(staff.merchant.id, staff.parse_id("stl", settlement))


def _find_account(staff: Staff, account: str) -> PayoutAccount:
    return settlement_queries.payout_account_of(staff.merchant.id, staff.parse_id("pac", account))
