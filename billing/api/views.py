"""/v1/orders/{id}/collect, and the sandbox's people."""

import re
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from billing.channels.bank import Behaviour
from billing.refusals import NoInstrument, TooOften
from billing.services import instruments, pay
from kernel.contract import Nothing, operation
from kernel.money import MOST_MINOR
from kernel.refusal import FieldError, Invalid
from kernel.wire import Wire
from merchants.access import MerchantView, NotAllowed, WrongMode, answer
from merchants.rules import Scope
from orders import queries as orders
from orders import refusals
from orders.wire import OrderOut, order_out

_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,3})W)?(?:(\d{1,4})D)?(?:T(?=.)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?", re.ASCII
)


class NewPerson(Wire):
    """A scripted person: how their bank account behaves; `no_funds_until` says how long, `partial_balance` how much."""

    name: Annotated[str, Meta(min_length=1, max_length=40)]
    behaviour: Behaviour = Behaviour.PAYS
    duration: Annotated[str, Meta(max_length=40, description="ISO 8601, such as P3D or PT90S.")] | None = None
    amount: Annotated[int, Meta(ge=0, le=MOST_MINOR, description="Minor units.")] | None = None


class PersonOut(Wire):
    """A sandbox person. Use `ref` as person_ref, or your own."""

    id: str
    object: Literal["person"]
    livemode: bool
    ref: str
    name: str
    behaviour: Behaviour
    until: datetime | None
    amount: int | None


class CollectOrder(MerchantView):
    """/v1/orders/{id}/collect"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.ORDERS_WRITE}
    calls_outside = True

    @operation(
        "collect_order",
        "Try to collect now; the platform's own plan stays as it is",
        takes=Nothing,
        gives=OrderOut,
        refuses=[
            NotAllowed,
            refusals.OrderState,
            refusals.DeductionInFlight,
            refusals.WrittenOff,
            NoInstrument,
            TooOften,
        ],
        writes=True,
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        Nothing.parse(request)
        mine = orders.order_of(self.merchant_id, self.named("ord", order))
        pay.collect_now(mine.id, by=self.actor, at=self.now())
        return answer(order_out(orders.order_of(self.merchant_id, mine.id)))


class SandboxPeople(MerchantView):
    """/v1/sandbox/people"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "sandbox_create_person",
        "Make a scripted person",
        takes=NewPerson,
        gives=PersonOut,
        status=201,
        refuses=[NotAllowed, WrongMode],
        writes=True,
        examples=[
            ("Pays at once", {"name": "艾达", "behaviour": "pays"}),
            ("Short of money for three days", {"name": "小博", "behaviour": "no_funds_until", "duration": "P3D"}),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        asked, now = NewPerson.parse(request), self.now()
        script = instruments.Script(asked.behaviour, until=_until(asked, now), balance_minor=_balance(asked))
        realm_id = self.caller.merchant.realm_id
        person = instruments.script_person(asked.name, script, realm_id=realm_id, by=self.actor, at=now)
        out = PersonOut(
            id=person.public_id,
            object="person",
            livemode=False,
            ref=person.ref,
            name=asked.name,
            behaviour=asked.behaviour,
            until=script.until,
            amount=script.balance_minor,
        )
        return answer(out, status=201)


def _until(asked: NewPerson, now: datetime) -> datetime | None:
    needed = asked.behaviour is Behaviour.NO_FUNDS_UNTIL
    if needed != (asked.duration is not None):
        raise Invalid(errors=[FieldError("/duration", f"{'needed' if needed else 'not used'} for this behaviour")])
    if asked.duration is None:
        return None
    found = _DURATION.fullmatch(asked.duration)
    if found is None:
        raise Invalid(errors=[FieldError("/duration", "not an ISO 8601 duration of weeks, days and times")])
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return now + timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _balance(asked: NewPerson) -> int | None:
    needed = asked.behaviour is Behaviour.PARTIAL_BALANCE
    if needed != (asked.amount is not None):
        raise Invalid(errors=[FieldError("/amount", f"{'needed' if needed else 'not used'} for this behaviour")])
    return asked.amount
