"""A person's stored value: what is in it, what came in and went out, topping it up and taking it out."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, for_person
from billing import queries
from billing.refusals import AmountInvalid
from billing.services import instruments, wallets
from kernel.forms import known_token, minor_of, new_token, plain
from kernel.money import Money, totals
from kernel.paging import page
from kernel.refusal import NotFound, Refusal
from kernel.templatetags.house import money

ENTRIES_A_PAGE = 20
CURRENCY = "CNY"
#: What the sandbox bank sends at once (minor units).
TOP_UP_MAX = 50_000_00


class TopUpInvalid(AmountInvalid):
    """Not an amount, or more than the sandbox bank sends at once."""

    code = "top_up_invalid"
    title = gettext_lazy("Enter an amount between 0.01 and 50,000, such as 20 or 12.50.")


class TakeOutInvalid(AmountInvalid):
    """Not an amount."""

    code = "take_out_invalid"
    title = gettext_lazy("Enter an amount up to your balance, such as 20 or 12.50.")


@require_safe
@for_person
def wallet(visitor: Visitor) -> HttpResponse:
    return _shown(visitor)


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def top_up(visitor: Visitor) -> HttpResponse:
    """Money from the sandbox bank: for made-up people anywhere, for everybody on a developer's machine."""
    return _moved(visitor, "top-up")


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def take_out(visitor: Visitor) -> HttpResponse:
    """Money back to the sandbox bank, as much of it as the person likes."""
    return _moved(visitor, "out")


def _moved(visitor: Visitor, way: str) -> HttpResponse:
    """A form sent twice moves once."""
    if not sandbox_bank(visitor):
        raise NotFound
    if visitor.request.method != "POST":
        return redirect("wallet")
    person, act = visitor.person, _topped_up if way == "top-up" else _taken_out
    try:
        reference = f"{way} {person.id.hex} {known_token(visitor.sent('token'))}"
        said = act(visitor, minor_of(visitor.sent("amount"), CURRENCY) or 0, reference)
    except Refusal as refusal:
        return _shown(visitor, refusal=refusal, way=way, status=refusal.status)
    messages.success(visitor.request, said)
    return redirect("wallet")


def _topped_up(visitor: Visitor, minor: int, reference: str) -> str:
    if not 0 < minor <= TOP_UP_MAX:
        raise TopUpInvalid
    instruments.open_wallet(visitor.person, at=visitor.at)
    wallets.top_up(visitor.person.id, Money(minor, CURRENCY), reference, at=visitor.at)
    return _("%(amount)s was added to your wallet.") % {"amount": money(Money(minor, CURRENCY))}


def _taken_out(visitor: Visitor, minor: int, reference: str) -> str:
    if minor <= 0 or queries.balance_of(visitor.person.id) is None:
        raise TakeOutInvalid
    wallets.take_out(visitor.person.id, Money(minor, CURRENCY), reference, at=visitor.at)
    return _("%(amount)s was withdrawn to your bank.") % {"amount": money(Money(minor, CURRENCY))}


def sandbox_bank(visitor: Visitor) -> bool:
    """Whether money may come from the sandbox bank: made-up people anywhere, everybody on a developer's machine."""
    return bool(settings.LOCAL_MESSAGES) or visitor.sandbox


def _shown(visitor: Visitor, *, refusal: Refusal | None = None, way: str = "", status: int = 200) -> HttpResponse:
    cursor = visitor.request.GET.get("cursor") or None
    entries, further = page(queries.entries_of(visitor.person.id), cursor=cursor, limit=ENTRIES_A_PAGE)
    paid = queries.orders_paid_by(entries)
    balance = queries.balance_of(visitor.person.id)
    return visitor.show(
        "billing/wallet.html",
        status=status,
        balance=balance,
        owed=totals(row.owed for row in queries.debts_of(visitor.person.id)),
        entries=[(entry, paid.get(entry.id)) for entry in entries],
        currency=balance.currency if balance else CURRENCY,
        whole=plain(balance) if balance else "",
        further=further,
        sandbox_bank=sandbox_bank(visitor),
        token=new_token(),
        refusal=refusal,
        way=way,
        typed=visitor.sent("amount"),
    )
