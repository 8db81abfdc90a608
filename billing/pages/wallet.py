"""The wallet page: balance, entries, top-up and withdrawal."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, person_page
from billing import queries
from billing.refusals import AmountInvalid
from billing.services import instruments, wallets
from kernel.forms import new_form_token, parse_minor, plain_amount, validate_token
from kernel.money import Money, sum_by_currency
from kernel.paging import paginate
from kernel.refusal import NotFound, Refusal
from kernel.templatetags.formatting import money

ENTRIES_A_PAGE = 20
CURRENCY = "CNY"
#: Maximum amount of one top-up (minor units).
TOP_UP_MAX = 50_000_00


class TopUpInvalid(AmountInvalid):
    """Not an amount, or above the maximum."""

    code = "top_up_invalid"
    title = gettext_lazy("Enter an amount between 0.01 and 50,000, such as 20 or 12.50.")


class TakeOutInvalid(AmountInvalid):
    """Not an amount."""

    code = "take_out_invalid"
    title = gettext_lazy("Enter an amount up to your balance, such as 20 or 12.50.")


@require_safe
@person_page
def wallet(visitor: Visitor) -> HttpResponse:
    return _render(visitor)


@require_http_methods(["GET", "HEAD", "POST"])
@person_page
def top_up(visitor: Visitor) -> HttpResponse:
    """Top up from the sandbox bank."""
    return _move_money(visitor, "top-up")


@require_http_methods(["GET", "HEAD", "POST"])
@person_page
def withdraw(visitor: Visitor) -> HttpResponse:
    """Withdraw to the sandbox bank."""
    return _move_money(visitor, "out")


def _move_money(visitor: Visitor, direction: str) -> HttpResponse:
    """Handle a top-up or withdrawal form. Idempotent by the form's token."""
    if not has_sandbox_bank(visitor):
        raise NotFound
    if visitor.request.method != "POST":
        return redirect("wallet")
    person, handler = visitor.person, _top_up if direction == "top-up" else _withdraw
    try:
        reference = f"{direction} {person.id.hex} {validate_token(visitor.posted('token'))}"
        message = handler(visitor, parse_minor(visitor.posted("amount"), CURRENCY) or 0, reference)
    except Refusal as refusal:
        return _render(visitor, refusal=refusal, direction=direction, status=refusal.status)
    messages.success(visitor.request, message)
    return redirect("wallet")


def _top_up(visitor: Visitor, minor: int, reference: str) -> str:
    if not 0 < minor <= TOP_UP_MAX:
        raise TopUpInvalid
    instruments.open_wallet(visitor.person, at=visitor.at)
    wallets.top_up(visitor.person.id, Money(minor, CURRENCY), reference, at=visitor.at)
    return _("%(amount)s was added to your wallet.") % {"amount": money(Money(minor, CURRENCY))}


def _withdraw(visitor: Visitor, minor: int, reference: str) -> str:
    if minor <= 0 or queries.wallet_balance(visitor.person.id) is None:
        raise TakeOutInvalid
    wallets.withdraw(visitor.person.id, Money(minor, CURRENCY), reference, at=visitor.at)
    return _("%(amount)s was withdrawn to your bank.") % {"amount": money(Money(minor, CURRENCY))}


def has_sandbox_bank(visitor: Visitor) -> bool:
    """Whether the sandbox bank is available: for sandbox persons, and for everybody in local development."""
    return bool(settings.LOCAL_MESSAGES) or visitor.is_sandbox


def _render(
    visitor: Visitor, *, refusal: Refusal | None = None, direction: str = "", status: int = 200
) -> HttpResponse:
    cursor = visitor.request.GET.get("cursor") or None
    entries, next_cursor = paginate(queries.wallet_entries_of(visitor.person.id), cursor=cursor, limit=ENTRIES_A_PAGE)
    paid = queries.payment_lines_by_entry(entries)
    balance = queries.wallet_balance(visitor.person.id)
    return visitor.render(
        "billing/wallet.html",
        status=status,
        balance=balance,
        owed=sum_by_currency(row.owed for row in queries.debts_of(visitor.person.id)),
        entries=[(entry, paid.get(entry.id)) for entry in entries],
        currency=balance.currency if balance else CURRENCY,
        whole=plain_amount(balance) if balance else "",
        next_cursor=next_cursor,
        has_sandbox_bank=has_sandbox_bank(visitor),
        token=new_form_token(),
        refusal=refusal,
        direction=direction,
        typed=visitor.posted("amount"),
    )
