"""The pattern that crowds are made after: one person, and of each service one order still open and one completed."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from accounts import rules as numbers
from accounts import services as accounts
from accounts.models import Person
from billing.models import Instrument
from billing.services import instruments
from credit import services as credit
from credit.models import Agreement
from kernel.actor import Actor
from kernel.models import LIVE
from merchants.models import Service
from orders import services as orders
from orders.models import Order

BY = Actor.system("generator")
NAME = "模拟用户"
#: A thousand are born on each day from this one on.
FIRST_BORN = date(1960, 1, 1)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the services made of one service, for SQL to make the others after."""

    service: Service
    asked: Agreement
    signed: Agreement
    open: Order
    completed: Order
    wish: orders.Wish


def citizen_of(number: int, zone: str, *, at: datetime) -> tuple[Person, Instrument]:
    """Somebody the services make: registered, verified, with a profile and a bank account."""
    person = accounts.register_person(phone_of(number), realm_id=LIVE, zone=zone, by=BY, at=at)
    person = accounts.verify_identity(person.id, NAME, id_number_of(number), by=BY, at=at)
    credit.open_profile(person, at=at)
    return person, instruments.add_instrument(person, "sandbox", token_of(number, 1), "模拟银行卡", at=at)


def pattern_of(service: Service, person: Person, number: int, *, at: datetime) -> Pattern:
    """The person opens the service and uses it twice; `number` is one that no copy has."""
    asked, agreement = (
        credit.request_agreement(service.merchant_id, service.id, person_ref_of(number), by=BY, at=at) for _ in range(2)
    )
    signed = credit.sign_agreement(agreement.id, person.id, by=BY, at=at).agreement
    wish = orders.Wish(
        agreement_id=signed.id, out_order_no=number_of(number), title=service.name, currency=service.currency
    )
    going = opened(service, wish, at=at)
    order = opened(service, replace(wish, out_order_no=number_of(number + 1)), at=at)
    done = orders.complete_order(order.id, orders.Final(total=order.ceiling_minor, due_at=at), by=BY, at=at)
    return Pattern(service, asked, signed, going, done, wish)


def opened(service: Service, wish: orders.Wish, *, at: datetime) -> Order:
    """The wish is granted."""
    order = orders.open_order(service.merchant_id, wish, by=BY, at=at).order
    assert order is not None
    return order


def phone_of(number: int) -> str:
    """A number that rings nowhere."""
    return f"{numbers.FICTIONAL_PHONE}{number:08}"


def id_number_of(number: int) -> str:
    """A number that checks out and stands on no card: each has another, up to ten million."""
    day, place = divmod(number, 1000)
    digits = f"110000{FIRST_BORN + timedelta(days=day):%Y%m%d}{place:03}"
    return digits + numbers.check_character(digits)


def token_of(citizen: int, place: int) -> str:
    """What a channel calls one of a citizen's instruments, the first to try being 1."""
    return f"c{citizen}-{place}"


def number_of(use: int) -> str:
    """What the merchant calls an order."""
    return f"S{use:08}"


def person_ref_of(citizen: int) -> str:
    """What the merchant calls a person."""
    return f"u-{citizen}"
