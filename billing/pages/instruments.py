"""What a person pays from: in which order it is tried, how much may go from it, adding one and removing one."""

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

from accounts.visitor import Visitor, for_person
from billing import purse, queries
from billing.channels.bank import Behaviour
from billing.models import Instrument
from billing.pages.wallet import CURRENCY, sandbox_bank
from billing.refusals import LimitInvalid
from billing.services import instruments as services
from billing.services.instruments import Script
from kernel.forms import minor_of, new_token, plain
from kernel.money import Money
from kernel.refusal import Invalid, NotFound, Refusal

#: How an account at the sandbox bank may behave, the ordinary one first.
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
#: Whoever signs in anew in the middle of it comes back by GET, and finds the page.
_FORM = require_http_methods(["GET", "HEAD", "POST"])
NO_FUNDS_FOR = timedelta(days=3)
#: What an account with little money holds (minor units).
LITTLE = 10_00


@dataclass(frozen=True, slots=True)
class Way:
    """One instrument on the page: its place, what is planned from it next, and what its person tried to make of it."""

    instrument: Instrument
    place: int
    last: bool
    planned_at: datetime | None
    refusal: Refusal | None
    most: str
    daily: str
    #: What its limits may be in, the first as they are.
    currencies: list[str]

    def wrong(self, text: str) -> bool:
        """Whether this limit is what was not understood."""
        return isinstance(self.refusal, LimitInvalid) and bool(text.strip()) and not minor_of(text, self.currencies[0])

    @property
    def most_wrong(self) -> bool:
        return self.wrong(self.most)

    @property
    def daily_wrong(self) -> bool:
        return self.wrong(self.daily)


@require_safe
@for_person
def instruments(visitor: Visitor) -> HttpResponse:
    """Everything the person pays from, the first to try first."""
    return _shown(visitor)


@_FORM
@for_person
def add(visitor: Visitor) -> HttpResponse:
    """A bank account, where banks are made up; one click adds one, two do as well."""
    if not sandbox_bank(visitor):
        raise NotFound
    if visitor.request.method != "POST":
        return redirect("instruments")
    try:
        script = _script(visitor)
        if visitor.sends_first("add_instrument"):
            made = services.add_bank_account(
                visitor.person, script, visitor.sent("name"), by=visitor.actor, at=visitor.at
            )
            messages.success(visitor.request, _("%(label)s was added.") % {"label": made.shown})
    except Refusal as refusal:
        return _shown(visitor, refusal=refusal)
    return redirect(_way_on(visitor) or reverse("instruments"))


@_FORM
@for_person
def open_wallet(visitor: Visitor) -> HttpResponse:
    """A wallet for stored value, empty at first; opened twice it is one."""
    if visitor.request.method != "POST":
        return redirect("instruments")
    services.open_wallet(visitor.person, at=visitor.at)
    return redirect(_way_on(visitor) or reverse("instruments"))


@_FORM
@for_person
def put(visitor: Visitor, instrument: str) -> HttpResponse:
    """It is tried at this place from now on: the form says which, so that sending it twice moves nothing twice."""
    key, place = visitor.named(Instrument.prefix, instrument), visitor.sent("place")
    if visitor.request.method != "POST":
        return redirect("instruments")
    if not (place.isascii() and place.isdecimal() and len(place) < len("1000")):
        raise Invalid
    services.put_instrument(visitor.person.id, key, int(place), by=visitor.actor, at=visitor.at)
    return redirect(f"{reverse('instruments')}#{instrument}")


@_FORM
@for_person
def limit(visitor: Visitor, instrument: str) -> HttpResponse:
    """No more than this is taken from it, but by the person themselves."""
    key = visitor.named(Instrument.prefix, instrument)
    if visitor.request.method != "POST":
        return redirect("instruments")
    try:
        row = purse.instrument_shown(visitor.person.id, key)
        currency = _currencies(row, purse.currencies_of(visitor.person.id), visitor.sent("currency"))[0]
        most, daily = (_limit(visitor.sent(name), currency) for name in ("most", "daily"))
        services.limit_instrument(visitor.person.id, key, most, daily, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _shown(visitor, refused=key, refusal=refusal)
    messages.success(visitor.request, _("Limits saved."))
    return redirect(f"{reverse('instruments')}#{instrument}")


@_FORM
@for_person
def remove(visitor: Visitor, instrument: str) -> HttpResponse:
    """Nothing is taken from it any more; or why that cannot be yet."""
    key = visitor.named(Instrument.prefix, instrument)
    if visitor.request.method != "POST":
        return redirect("instruments")
    try:
        services.remove_instrument(visitor.person.id, key, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _shown(visitor, refused=key, refusal=refusal)
    messages.success(visitor.request, _("Removed. Nothing more will be deducted from it."))
    return redirect("instruments")


def _script(visitor: Visitor) -> Script:
    """How the new account behaves.

    Raises:
        Invalid: no form of ours sent this.
    """
    behaviour = next((one for one in BEHAVIOURS if one.value == visitor.sent("behaviour")), None)
    if behaviour is None:
        raise Invalid
    until = visitor.at + NO_FUNDS_FOR if behaviour is Behaviour.NO_FUNDS_UNTIL else None
    return Script(behaviour, until=until, balance_minor=LITTLE if behaviour is Behaviour.PARTIAL_BALANCE else None)


def _currencies(row: Instrument, known: list[str], chosen: str = "") -> list[str]:
    """What the limits of this instrument may be in: what was just chosen first, else what they are in now.

    A wallet holds one currency. Elsewhere it is whatever the person may owe in.
    """
    if row.channel == services.WALLET:
        return [row.limits_currency]
    set_in = [row.limits_currency] if row.limits else []
    found = list(dict.fromkeys([*set_in, *known])) or [CURRENCY]
    return sorted(found, key=lambda currency: currency != chosen)


def _limit(text: str, currency: str) -> Money | None:
    """The limit as it was typed; nothing typed is none.

    Raises:
        LimitInvalid: it is not an amount.
    """
    if not text.strip():
        return None
    amount = minor_of(text, currency)
    if amount is None:
        raise LimitInvalid
    return Money(amount, currency)


def _way_on(visitor: Visitor) -> str:
    """Where on our own pages the person was on their way to."""
    path = visitor.sent("next") or str(visitor.request.GET.get("next", ""))
    ours = path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if ours else ""


def _shown(visitor: Visitor, *, refused: UUID | None = None, refusal: Refusal | None = None) -> HttpResponse:
    rows = purse.instruments_shown(visitor.person.id)
    usable = sum(row.state == Instrument.State.ACTIVE for row in rows)
    planned = purse.planned_from(rows, queries.debts_of(visitor.person.id))
    known = purse.currencies_of(visitor.person.id)
    ways = [
        Way(
            row,
            place,
            last=place == usable - 1,
            planned_at=planned.get(row.id),
            refusal=refusal if row.id == refused else None,
            most=visitor.sent("most") if row.id == refused else _typed(row.most_minor, row.limits_currency),
            daily=visitor.sent("daily") if row.id == refused else _typed(row.daily_minor, row.limits_currency),
            currencies=_currencies(row, known, visitor.sent("currency") if row.id == refused else ""),
        )
        for place, row in enumerate(rows)
    ]
    return visitor.show(
        "billing/ways.html",
        status=refusal.status if refusal else 200,
        ways=ways,
        many=usable > 1,
        balance=queries.balance_of(visitor.person.id),
        behaviours=BEHAVIOURS if sandbox_bank(visitor) else (),
        chosen=visitor.sent("behaviour") or BEHAVIOURS[0].value,
        name=visitor.sent("name"),
        not_added=refusal if refused is None else None,
        way_on=_way_on(visitor),
        token=new_token(),
    )


def _typed(minor: int | None, currency: str) -> str:
    return "" if minor is None else plain(Money(minor, currency))
