"""/v1/sandbox/people, and payments and disputes on their behalf."""

from datetime import datetime
from functools import partial
from typing import Annotated, ClassVar, Literal

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from accounts.refusals import InvalidName
from billing.api.durations import Duration, parse_duration
from billing.channels.bank import Behaviour
from billing.refusals import AmountInvalid, NoInstrument, NothingToTakeBack
from billing.services import instruments, pay, sandbox_disputes, sandbox_people
from billing.services.sandbox_people import ScriptedPerson
from kernel.money import AMOUNT_MINOR_MAX
from kernel.openapi import operation
from kernel.paging import LIMIT_MAX, paginate
from kernel.refusal import FieldError, Invalid, NotFound
from kernel.wire import Moment, Wire
from merchants.access import InsufficientScope, MerchantView, SandboxKeyRequired, json_response
from merchants.rules import Scope
from orders import queries as orders
from orders import refusals
from orders.models import Order
from orders.wire import OrderOut, order_out

Amount = Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX, description="Minor units.")]


class NewPerson(Wire):
    """A scripted person: how their bank account behaves; `no_funds_until` says how long, `partial_balance` how much."""

    name: Annotated[str, Meta(min_length=1, max_length=40)]
    behaviour: Behaviour = Behaviour.PAYS
    duration: Duration | None = None
    amount: Amount | None = None


class NewBehaviour(Wire):
    """How the person's account behaves from now on; a closed one is followed by a new one that does."""

    behaviour: Behaviour
    duration: Duration | None = None
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
    until: Moment | None
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

    amount: Annotated[int, Meta(ge=1, le=AMOUNT_MINOR_MAX, description="Minor units.")] | None = None


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
        response=PersonList,
        query=PeopleQuery,
        refusals=[InsufficientScope, SandboxKeyRequired],
    )
    def get(self, request: Request) -> HttpResponse:
        params = PeopleQuery.parse_query(request)
        people_rows = sandbox_people.scripted_people(self.caller.merchant.realm_id)
        rows, cursor = paginate(people_rows, cursor=params.cursor, limit=params.limit)
        return json_response(
            PersonList(data=[_person_out(one) for one in sandbox_people.scripts_of(rows)], next_cursor=cursor)
        )

    @operation(
        "sandbox_create_person",
        "Create a test user",
        request=NewPerson,
        response=PersonOut,
        status=201,
        refusals=[InsufficientScope, SandboxKeyRequired],
        idempotent=True,
        examples=[
            ("Pays at once", {"name": "艾达", "behaviour": "pays"}),
            ("Short of money for three days", {"name": "小博", "behaviour": "no_funds_until", "duration": "P3D"}),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        body, now = NewPerson.parse(request), self.now()
        realm_id, script = self.caller.merchant.realm_id, _build_script(body, now)
        try:
            person = instruments.create_scripted_person(body.name, script, realm_id=realm_id, by=self.actor, at=now)
        except InvalidName:
            raise Invalid(errors=[FieldError("/name", "1 to 40 characters, and no line breaks")]) from None
        return json_response(_person_out(ScriptedPerson(person, script, is_usable=True)), status=201)


class OnePerson(MerchantView):
    """/v1/sandbox/people/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.SANDBOX, "patch": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "sandbox_get_person", "Get a test user", response=PersonOut, refusals=[InsufficientScope, SandboxKeyRequired]
    )
    def get(self, _request: Request, person: str) -> HttpResponse:
        found = sandbox_people.scripted_people(self.caller.merchant.realm_id).filter(pk=self.parse_id("per", person))
        scripted = sandbox_people.scripts_of(found)
        if not scripted:
            raise NotFound
        return json_response(_person_out(scripted[0]))

    @operation(
        "sandbox_change_person",
        "Change a test user's bank account behaviour",
        request=NewBehaviour,
        response=PersonOut,
        refusals=[InsufficientScope, SandboxKeyRequired],
        examples=[("Tops up", {"behaviour": "pays"}), ("Closes the account", {"behaviour": "hard_decline"})],
    )
    def patch(self, request: Request, person: str) -> HttpResponse:
        key, now = self.parse_id("per", person), self.now()
        script = _build_script(NewBehaviour.parse(request), now)
        realm_id = self.caller.merchant.realm_id
        return json_response(_person_out(sandbox_people.change_script(realm_id, key, script, by=self.actor, at=now)))


class PayInSandbox(MerchantView):
    """/v1/sandbox/orders/{id}/pay"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True
    calls_external = True

    @operation(
        "sandbox_pay_order",
        "Pay an order in full or in part on behalf of a test user; the order shows the result",
        request=Payment,
        response=OrderOut,
        refusals=[
            InsufficientScope,
            SandboxKeyRequired,
            refusals.OrderState,
            refusals.DeductionInFlight,
            NoInstrument,
            AmountInvalid,
        ],
        idempotent=True,
        examples=[("All of it", {}), ("A part", {"amount": 200})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        body = Payment.parse(request)
        own_order = orders.order_of(self.merchant_id, self.parse_id("ord", order))
        pay.pay_now(
            own_order.id,
            amount_minor=body.amount,
            by=self.actor,
            at=self.now(),
            on_started=lambda: self.save_provisional_response(partial(self._order_response, own_order)),
        )
        return self._order_response(own_order)

    def _order_response(self, own_order: Order) -> HttpResponse:
        details = orders.merchant_order_details(self.merchant_id, own_order.id)
        return json_response(order_out(details.order, details.obligations))


class TakeBackInSandbox(MerchantView):
    """/v1/sandbox/orders/{id}/take_back"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True
    calls_external = True

    @operation(
        "sandbox_take_back",
        "Have the bank return an order's latest deduction, as if it bounced or was disputed",
        request=TakingBack,
        response=OrderOut,
        refusals=[InsufficientScope, SandboxKeyRequired, NothingToTakeBack],
        idempotent=True,
        examples=[("It bounced", {"code": "no_funds"}), ("The person disputes it", {"code": "not_received"})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        body = TakingBack.parse(request)
        own_order = orders.order_of(self.merchant_id, self.parse_id("ord", order))
        request_key = self.idempotency_request.external_key if self.idempotency_request is not None else ""
        sandbox_disputes.dispute_latest_deduction(own_order.id, body.code, request_key=request_key, at=self.now())
        details = orders.merchant_order_details(self.merchant_id, own_order.id)
        return json_response(order_out(details.order, details.obligations))


def _build_script(body: NewPerson | NewBehaviour, now: datetime) -> instruments.Script:
    _check_presence(body.duration, body.behaviour is Behaviour.NO_FUNDS_UNTIL, "/duration")
    _check_presence(body.amount, body.behaviour is Behaviour.PARTIAL_BALANCE, "/amount")
    until = None if body.duration is None else now + parse_duration(body.duration, "/duration")
    return instruments.Script(body.behaviour, until=until, balance_minor=body.amount)


def _check_presence(value: object, needed: bool, pointer: str) -> None:  # noqa: FBT001  a fact about the value
    if needed != (value is not None):
        raise Invalid(errors=[FieldError(pointer, f"{'needed' if needed else 'not used'} for this behaviour")])


def _person_out(scripted: ScriptedPerson) -> PersonOut:
    return PersonOut(
        id=scripted.person.public_id,
        object="person",
        livemode=False,
        ref=scripted.person.ref,
        name=scripted.person.reveal_name() or "",
        phone=(scripted.person.user and scripted.person.user.reveal_phone()) or "",
        behaviour=scripted.script.behaviour,
        until=scripted.script.until,
        amount=scripted.script.balance_minor,
        usable=scripted.is_usable,
    )
