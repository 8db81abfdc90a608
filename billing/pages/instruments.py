"""Payment methods: list, add, reorder, set spending limits, remove."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, person_page
from billing import instrument_queries, queries
from billing.channels.bank import Behaviour
from billing.models import Instrument
from billing.pages.wallet import CURRENCY, has_sandbox_bank
from billing.refusals import LimitInvalid
from billing.services import instruments as services
from billing.services.instruments import Script
from kernel.forms import new_form_token, parse_minor, plain_amount
from kernel.money import Money
from kernel.refusal import Invalid, NotFound, Refusal

#: Behaviours offered for a sandbox bank account, the default first.
BEHAVIOURS = (
    Behaviour.PAYS,
    Behaviour.NO_FUNDS,
    Behaviour.NO_FUNDS_UNTIL,
    Behaviour.PARTIAL_BALANCE,
    Behaviour.HARD_DECLINE,
    Behaviour.TIMEOUT_THEN_PAID,
    Behaviour.TIMEOUT_THEN_NOT_PAID,
    Behaviour.SLOW,
    Behaviour.LATE_CALLBACK,
    Behaviour.DUPLICATE_CALLBACK,
)
#: GET is allowed because signing in again redirects back to the form's URL.
_get_or_post = require_http_methods(["GET", "HEAD", "POST"])
NO_FUNDS_FOR = timedelta(days=3)
#: Balance of an account with `partial_balance` (minor units).
LOW_BALANCE_MINOR = 10_00


@dataclass(frozen=True, slots=True)
class InstrumentRow:
    """An instrument on the page: its position, its next planned deduction, and its limits as typed or stored."""

    instrument: Instrument
    position: int
    is_last: bool
    planned_at: datetime | None
    refusal: Refusal | None
    most: str
    daily: str
    #: Currencies its limits may be in, the current one first.
    currencies: list[str]

    def is_invalid(self, text: str) -> bool:
        """Whether this is the limit that could not be parsed."""
        return (
            isinstance(self.refusal, LimitInvalid) and bool(text.strip()) and not parse_minor(text, self.currencies[0])
        )

    @property
    def is_most_invalid(self) -> bool:
        return self.is_invalid(self.most)

    @property
    def is_daily_invalid(self) -> bool:
        return self.is_invalid(self.daily)


@require_safe
@person_page
def instruments(visitor: Visitor) -> HttpResponse:
    """The person's payment methods in the order in which they are tried."""
    return _render(visitor)


@_get_or_post
@person_page
def add(visitor: Visitor) -> HttpResponse:
    """Add a sandbox bank account. Submitting the form twice adds one."""
    if not has_sandbox_bank(visitor):
        raise NotFound
    if visitor.request.method != "POST":
        return redirect("instruments")
    try:
        script = _parse_script(visitor)
        if visitor.claim_submission("add_instrument"):
            instrument = services.add_bank_account(
                visitor.person, script, visitor.posted("name"), by=visitor.actor, at=visitor.at
            )
            messages.success(visitor.request, _("%(label)s was added.") % {"label": instrument.display_name})
    except Refusal as refusal:
        return _render(visitor, refusal=refusal)
    return redirect(_next_path(visitor) or reverse("instruments"))


@_get_or_post
@person_page
def open_wallet(visitor: Visitor) -> HttpResponse:
    """Open an empty wallet. Idempotent."""
    if visitor.request.method != "POST":
        return redirect("instruments")
    services.open_wallet(visitor.person, at=visitor.at)
    return redirect(_next_path(visitor) or reverse("instruments"))


@_get_or_post
@person_page
def reorder(visitor: Visitor, instrument: str) -> HttpResponse:
    """Move an instrument to a position. The form gives the absolute position, so a repeat changes nothing."""
    key, position = visitor.parse_id(Instrument.prefix, instrument), visitor.posted("place")
    if visitor.request.method != "POST":
        return redirect("instruments")
    if not (position.isascii() and position.isdecimal() and len(position) < len("1000")):
        raise Invalid
    services.move_instrument(visitor.person.id, key, int(position), by=visitor.actor, at=visitor.at)
    return redirect(f"{reverse('instruments')}#{instrument}")


@_get_or_post
@person_page
def set_limits(visitor: Visitor, instrument: str) -> HttpResponse:
    """Set the spending limits, which do not apply to payments the person makes themselves."""
    key = visitor.parse_id(Instrument.prefix, instrument)
    if visitor.request.method != "POST":
        return redirect("instruments")
    try:
        row = instrument_queries.visible_instrument(visitor.person.id, key)
        currency = _limit_currencies(
            row, instrument_queries.currencies_of(visitor.person.id), visitor.posted("currency")
        )[0]
        most, daily = (_parse_limit(visitor.posted(name), currency) for name in ("most", "daily"))
        services.set_instrument_limits(visitor.person.id, key, most, daily, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _render(visitor, refused_id=key, refusal=refusal)
    messages.success(visitor.request, _("Limits saved."))
    return redirect(f"{reverse('instruments')}#{instrument}")


@_get_or_post
@person_page
def remove(visitor: Visitor, instrument: str) -> HttpResponse:
    """Remove an instrument, or show why it cannot be removed yet."""
    key = visitor.parse_id(Instrument.prefix, instrument)
    if visitor.request.method != "POST":
        return redirect("instruments")
    try:
        services.remove_instrument(visitor.person.id, key, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _render(visitor, refused_id=key, refusal=refusal)
    messages.success(visitor.request, _("Removed. Nothing more will be deducted from it."))
    return redirect("instruments")


def _parse_script(visitor: Visitor) -> Script:
    """The behaviour of the new account.

    Raises:
        Invalid: no form of ours sent this.
    """
    behaviour = next((one for one in BEHAVIOURS if one.value == visitor.posted("behaviour")), None)
    if behaviour is None:
        raise Invalid
    until = visitor.at + NO_FUNDS_FOR if behaviour is Behaviour.NO_FUNDS_UNTIL else None
    return Script(
        behaviour, until=until, balance_minor=LOW_BALANCE_MINOR if behaviour is Behaviour.PARTIAL_BALANCE else None
    )


def _limit_currencies(row: Instrument, owed_in: list[str], chosen: str = "") -> list[str]:
    """Currencies the limits of this instrument may be in: the chosen one first, else the current one.

    A wallet holds one currency. Elsewhere it is whatever the person may owe in.
    """
    if row.channel == services.WALLET:
        return [row.limits_currency]
    current = [row.limits_currency] if row.limits else []
    currencies = list(dict.fromkeys([*current, *owed_in])) or [CURRENCY]
    return sorted(currencies, key=lambda currency: currency != chosen)


def _parse_limit(text: str, currency: str) -> Money | None:
    """Parse a limit; None if the field is empty.

    Raises:
        LimitInvalid: it is not an amount.
    """
    if not text.strip():
        return None
    amount = parse_minor(text, currency)
    if amount is None:
        raise LimitInvalid
    return Money(amount, currency)


def _next_path(visitor: Visitor) -> str:
    """The `next` path to continue to; empty if it is missing or not local."""
    path = visitor.posted("next") or str(visitor.request.GET.get("next", ""))
    is_local = path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if is_local else ""


def _render(visitor: Visitor, *, refused_id: UUID | None = None, refusal: Refusal | None = None) -> HttpResponse:
    rows = instrument_queries.visible_instruments(visitor.person.id)
    usable = sum(row.state == Instrument.State.ACTIVE for row in rows)
    planned = instrument_queries.next_planned_deductions(rows, queries.debts_of(visitor.person.id))
    owed_in = instrument_queries.currencies_of(visitor.person.id)
    instrument_rows = [
        InstrumentRow(
            row,
            place,
            is_last=place == usable - 1,
            planned_at=planned.get(row.id),
            refusal=refusal if row.id == refused_id else None,
            most=visitor.posted("most") if row.id == refused_id else _format_limit(row.most_minor, row.limits_currency),
            daily=visitor.posted("daily")
            if row.id == refused_id
            else _format_limit(row.daily_minor, row.limits_currency),
            currencies=_limit_currencies(row, owed_in, visitor.posted("currency") if row.id == refused_id else ""),
        )
        for place, row in enumerate(rows)
    ]
    return visitor.render(
        "billing/payment_methods.html",
        status=refusal.status if refusal else 200,
        rows=instrument_rows,
        has_several=usable > 1,
        balance=queries.wallet_balance(visitor.person.id),
        behaviours=BEHAVIOURS if has_sandbox_bank(visitor) else (),
        chosen=visitor.posted("behaviour") or BEHAVIOURS[0].value,
        name=visitor.posted("name"),
        add_refusal=refusal if refused_id is None else None,
        next_path=_next_path(visitor),
        token=new_form_token(),
    )


def _format_limit(minor: int | None, currency: str) -> str:
    return "" if minor is None else plain_amount(Money(minor, currency))
