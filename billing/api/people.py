"""/v1/sandbox/people, and what they do with their money."""

from datetime import datetime
from functools import partial
from typing import Annotated, ClassVar, Literal

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from accounts.refusals import InvalidName
from billing.api.spans import Span, span_of
from billing.channels.bank import Behaviour
from billing.refusals import AmountInvalid, NoInstrument, NothingToTakeBack
from billing.services import instruments, pay, people, sandbox_returns
from billing.services.people import Scripted
from kernel.contract import operation
from kernel.money import MOST_MINOR
from kernel.paging import LIMIT_MAX, page
from kernel.refusal import FieldError, Invalid, NotFound
from kernel.wire import Wire
from merchants.access import MerchantView, NotAllowed, WrongMode, answer
from merchants.rules import Scope
from orders import queries as orders
from orders import refusals
from orders.models import Order
from orders.wire import OrderOut, order_out

Amount = Annotated[int, Meta(ge=0, le=MOST_MINOR, description="Minor units.")]


class NewPerson(Wire):
    """A scripted person: how their bank account behaves; `no_funds_until` says how long, `partial_balance` how much."""

    name: Annotated[str, Meta(min_length=1, max_length=40)]
    behaviour: Behaviour = Behaviour.PAYS
    duration: Span | None = None
    amount: Amount | None = None


class NewBehaviour(Wire):
    """How the person's account behaves from now on; a closed one is followed by a new one that does."""

    behaviour: Behaviour
    duration: Span | None = None
    amount: Amount | None = None


class PersonOut(Wire):
    """A sandbox person. Use `ref` as person_ref, or your own. Not `usable`: the bank has closed the account."""

    id: str
    object: Literal["person"]
    livemode: bool
    ref: str
    name: str
    phone: str
    behaviour: Behaviour
    until: datetime | None
    amount: int | None
    usable: bool


class PersonList(Wire):
    """A page of people, newest first."""

    data: list[PersonOut]
    next_cursor: str | None


class PeopleQuery(Wire):
    """Which page."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None


class Payment(Wire):
    """How much the person pays; all that is owed if nothing is said."""

    amount: Annotated[int, Meta(ge=1, le=MOST_MINOR, description="Minor units.")] | None = None


class TakingBack(Wire):
    """Why the bank takes a debit back: it says who bears it, and whether the bank hears us first."""

    code: Literal["no_funds", "account_closed", "not_authorised", "not_received", "not_as_agreed", "duplicate"]


class People(MerchantView):
    """/v1/sandbox/people"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SANDBOX, "post": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "sandbox_list_people",
        "List test users",
        gives=PersonList,
        query=PeopleQuery,
        refuses=[NotAllowed, WrongMode],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = PeopleQuery.parse_query(request)
        everybody = people.people_of(self.caller.merchant.realm_id)
        rows, cursor = page(everybody, cursor=asked.cursor, limit=asked.limit)
        return answer(PersonList(data=[_out(one) for one in people.scripts_of(rows)], next_cursor=cursor))

    @operation(
        "sandbox_create_person",
        "Create a test user",
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
        realm_id, script = self.caller.merchant.realm_id, _script(asked, now)
        try:
            person = instruments.script_person(asked.name, script, realm_id=realm_id, by=self.actor, at=now)
        except InvalidName:
            raise Invalid(errors=[FieldError("/name", "1 to 40 characters, and no line breaks")]) from None
        return answer(_out(Scripted(person, script, usable=True)), status=201)


class OnePerson(MerchantView):
    """/v1/sandbox/people/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SANDBOX, "patch": Scope.SANDBOX}
    sandbox_only = True

    @operation("sandbox_get_person", "Get a test user", gives=PersonOut, refuses=[NotAllowed, WrongMode])
    def get(self, _request: Request, person: str) -> HttpResponse:
        found = people.people_of(self.caller.merchant.realm_id).filter(pk=self.named("per", person))
        scripted = people.scripts_of(found)
        if not scripted:
            raise NotFound
        return answer(_out(scripted[0]))

    @operation(
        "sandbox_change_person",
        "Change a test user's bank account behaviour",
        takes=NewBehaviour,
        gives=PersonOut,
        refuses=[NotAllowed, WrongMode],
        examples=[("Tops up", {"behaviour": "pays"}), ("Closes the account", {"behaviour": "hard_decline"})],
    )
    def patch(self, request: Request, person: str) -> HttpResponse:
        key, now = self.named("per", person), self.now()
        script = _script(NewBehaviour.parse(request), now)
        realm_id = self.caller.merchant.realm_id
        return answer(_out(people.change_script(realm_id, key, script, by=self.actor, at=now)))


class PayInSandbox(MerchantView):
    """/v1/sandbox/orders/{id}/pay"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True
    calls_outside = True

    @operation(
        "sandbox_pay_order",
        "Pay an order in full or in part on behalf of a test user; the order shows the result",
        takes=Payment,
        gives=OrderOut,
        refuses=[NotAllowed, WrongMode, refusals.OrderState, refusals.DeductionInFlight, NoInstrument, AmountInvalid],
        writes=True,
        examples=[("All of it", {}), ("A part", {"amount": 200})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        asked = Payment.parse(request)
        mine = orders.order_of(self.merchant_id, self.named("ord", order))
        pay.pay_now(
            mine.id,
            amount_minor=asked.amount,
            by=self.actor,
            at=self.now(),
            begun=lambda: self.begun(partial(self._shown, mine)),
        )
        return self._shown(mine)

    def _shown(self, mine: Order) -> HttpResponse:
        sheet = orders.sheet_for(self.merchant_id, mine.id)
        return answer(order_out(sheet.order, sheet.obligations))


class TakeBackInSandbox(MerchantView):
    """/v1/sandbox/orders/{id}/take_back"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True
    calls_outside = True

    @operation(
        "sandbox_take_back",
        "Have the bank return an order's latest deduction, as if it bounced or was disputed",
        takes=TakingBack,
        gives=OrderOut,
        refuses=[NotAllowed, WrongMode, NothingToTakeBack],
        writes=True,
        examples=[("It bounced", {"code": "no_funds"}), ("The person disputes it", {"code": "not_received"})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        asked = TakingBack.parse(request)
        mine = orders.order_of(self.merchant_id, self.named("ord", order))
        asked_as = self.under.name if self.under is not None else ""
        sandbox_returns.take_back_latest(mine.id, asked.code, asked_as=asked_as, at=self.now())
        sheet = orders.sheet_for(self.merchant_id, mine.id)
        return answer(order_out(sheet.order, sheet.obligations))


def _script(asked: NewPerson | NewBehaviour, now: datetime) -> instruments.Script:
    _said(asked.duration, asked.behaviour is Behaviour.NO_FUNDS_UNTIL, "/duration")
    _said(asked.amount, asked.behaviour is Behaviour.PARTIAL_BALANCE, "/amount")
    until = None if asked.duration is None else now + span_of(asked.duration, "/duration")
    return instruments.Script(asked.behaviour, until=until, balance_minor=asked.amount)


def _said(value: object, needed: bool, pointer: str) -> None:  # noqa: FBT001  a fact about the value
    if needed != (value is not None):
        raise Invalid(errors=[FieldError(pointer, f"{'needed' if needed else 'not used'} for this behaviour")])


def _out(one: Scripted) -> PersonOut:
    return PersonOut(
        id=one.person.public_id,
        object="person",
        livemode=False,
        ref=one.person.ref,
        name=one.person.reveal_name() or "",
        phone=(one.person.user and one.person.user.reveal_phone()) or "",
        behaviour=one.script.behaviour,
        until=one.script.until,
        amount=one.script.balance_minor,
        usable=one.usable,
    )
