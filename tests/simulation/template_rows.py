"""The template rows for generated data: one person, and for each service an open and a completed order."""

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
#: A thousand generated people are born on each day from this one on.
FIRST_BORN = date(1960, 1, 1)


@dataclass(frozen=True, slots=True)
class TemplateRows:
    """Rows of one service that the services created and SQL copies."""

    service: Service
    requested: Agreement
    signed: Agreement
    open: Order
    completed: Order
    order_request: orders.OrderRequest


def create_person(number: int, zone: str, *, at: datetime) -> tuple[Person, Instrument]:
    """Somebody the services make: registered, verified, with a profile and a bank account."""
    person = accounts.register_person(phone_of(number), realm_id=LIVE, zone=zone, by=BY, at=at)
    person = accounts.verify_identity(person.id, NAME, id_number_of(number), by=BY, at=at)
    credit.open_profile(person, at=at)
    return person, instruments.add_instrument(person, "sandbox", token_of(number, 1), "模拟银行卡", at=at)


def create_template_rows(service: Service, person: Person, number: int, *, at: datetime) -> TemplateRows:
    """The person opens the service and uses it twice; `number` is one that no copy has."""
    asked, agreement = (
        credit.request_agreement(service.merchant_id, service.id, person_ref_of(number), by=BY, at=at) for _ in range(2)
    )
    signed = credit.sign_agreement(agreement.id, person.id, by=BY, at=at).agreement
    wish = orders.OrderRequest(
        agreement_id=signed.id, out_order_no=number_of(number), title=service.name, currency=service.currency
    )
    going = open_order(service, wish, at=at)
    order = open_order(service, replace(wish, out_order_no=number_of(number + 1)), at=at)
    done = orders.complete_order(order.id, orders.CompletionRequest(total=order.ceiling_minor, due_at=at), by=BY, at=at)
    return TemplateRows(service, asked, signed, going, done, wish)


def open_order(service: Service, wish: orders.OrderRequest, *, at: datetime) -> Order:
    """Open an order that must be approved."""
    order = orders.open_order(service.merchant_id, wish, by=BY, at=at).order
    assert order is not None
    return order


def phone_of(number: int) -> str:
    """A fictional phone number."""
    return f"{numbers.FICTIONAL_PHONE}{number:08}"


def id_number_of(number: int) -> str:
    """A valid but fictional ID number, different for up to ten million people."""
    day, place = divmod(number, 1000)
    digits = f"110000{FIRST_BORN + timedelta(days=day):%Y%m%d}{place:03}"
    return digits + numbers.id_check_character(digits)


def token_of(citizen: int, place: int) -> str:
    """The channel's token of a person's instrument; 1 is tried first."""
    return f"c{citizen}-{place}"


def number_of(use: int) -> str:
    """The merchant's order number."""
    return f"S{use:08}"


def person_ref_of(citizen: int) -> str:
    """The merchant's customer ID."""
    return f"u-{citizen}"
