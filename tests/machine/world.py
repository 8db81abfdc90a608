"""The product beside its model: acts on the product, and passes its attempts to the model."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from accounts.models import Person as RealPerson
from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.models import Deduction, Instrument
from billing.services.instruments import Script, add_instrument, create_scripted_person, open_wallet
from billing.services.wallets import top_up
from credit import services as credit
from kernel.models import Realm
from kernel.money import Money
from merchants import services as merchants
from tests.api import Api, idempotency_header
from tests.conftest import BY, NOON, make_shop
from tests.machine.attempts import LEASE, Attempt, DeductionModel
from tests.machine.bank_model import Account, Bank
from tests.machine.debt import Debt
from tests.machine.model import Agreement, Order, Person, Terms

#: Refusals after which the same key may try again.
PASSING = {"deduction_in_flight", "collect_too_often", "request_in_progress"}
#: The two services: late fees and a short grace; and one whose person confirms, paid in advance.
RENTED: dict[str, Any] = {
    "ceiling_minor": 400_000,
    "grace": timedelta(hours=24),
    "late_fee_daily_bps": 250,
    "late_fee_cap_bps": 1_000,
}
BOUGHT: dict[str, Any] = {
    "name": "云上小店",
    "mode": "fixed",
    "currency": "CNY",
    "confirmation": True,
    "ceiling_minor": 400_000,
    "funding": "advance",
    "fee_bps": 100,
}
TERMS = (
    Terms(ceiling=400_000, fixed=False, grace=timedelta(hours=24), daily=250, cap=1_000),
    Terms(ceiling=400_000, fixed=True, grace=timedelta(hours=72)),
)
#: Which of the services each of the people has opened.
OPENED = ((0, 1), (0,))


@dataclass
class Sent:
    """A request whose answer was kept under its key."""

    path: str
    body: dict[str, Any]
    key: str
    status: int
    content: bytes


class World:
    """One merchant's sandbox on a clock that stands where the machine put it, and what must be true of it."""

    def __init__(self) -> None:
        self.at = NOON
        shop = make_shop("来电充电宝", **RENTED)
        bought = merchants.offer_service(shop.merchant.id, BOUGHT, by=BY, at=NOON)
        self.realm_id, self.api = shop.realm_id, Api(shop)
        self.set_clock(NOON)
        self.collection = DeductionModel()
        self.people: dict[UUID, Person] = {}
        self.agreements: dict[UUID, Agreement] = {}
        self.instruments: dict[str, UUID] = {}
        self.orders: list[Order] = []
        self.sent: list[Sent] = []
        for opened in OPENED:
            person = create_scripted_person("艾达", Script(Behaviour.PAYS), realm_id=self.realm_id, by=BY, at=NOON)
            self.people[person.id] = model = Person()
            self.register_instrument(person.instruments.get(), model)
            for place in opened:
                service = (shop.service, bought)[place]
                asked = credit.request_agreement(shop.merchant.id, service.id, "u", by=BY, at=NOON)
                credit.sign_agreement(asked.id, person.id, by=BY, at=NOON)
                self.agreements[asked.id] = Agreement(model, TERMS[place])

    @property
    def bank(self) -> Bank:
        return self.collection.bank

    @property
    def realm(self) -> Realm:
        return Realm(id=self.realm_id, mode="test", frozen_at=self.at)

    def set_clock(self, at: datetime) -> None:
        self.at = at
        Realm.objects.filter(pk=self.realm_id).update(frozen_at=at)

    def register_instrument(self, instrument: Instrument, person: Person, *, balance: int | None = None) -> None:
        self.bank.accounts[instrument.token] = Account(wallet=instrument.channel == "wallet", balance=balance)
        self.instruments[instrument.token] = instrument.id
        person.tokens.append(instrument.token)

    def call(self, path: str, body: dict[str, Any], status: int = 200) -> tuple[str, Any]:
        """A merchant's request under a key of its own: the code of its refusal, or none, and what was answered."""
        name = uuid4().hex
        answer = self.api.post(path, body, **idempotency_header(name))
        told = answer.json()
        code = "" if answer.status_code in (200, 201) else str(told["code"])
        assert code or answer.status_code == status, answer.content
        if code not in PASSING:
            self.sent.append(Sent(path, body, name, answer.status_code, answer.content))
        return code, told

    def add_account(self, person_id: UUID, behaviour: Behaviour) -> None:
        person = RealPerson.objects.get(pk=person_id)
        made = add_instrument(person, "sandbox", f"{self.realm_id}:{uuid4().hex}", "另一张卡", at=self.at)
        bank.open_account(made.token, Behaviour.PAYS)
        self.register_instrument(made, self.people[person_id])
        self.script(made.token, behaviour, None, None)

    def add_wallet(self, person_id: UUID, amount: int) -> None:
        """A wallet with that much in it, or so much more in the one they have."""
        person = RealPerson.objects.get(pk=person_id)
        known = self.bank.accounts.get(str(person_id))
        open_wallet(person, at=self.at)
        top_up(person_id, Money(amount), uuid4().hex, at=self.at)
        if known is None:
            self.register_instrument(person.instruments.get(channel="wallet"), self.people[person_id], balance=amount)
        else:
            known.balance = (known.balance or 0) + amount

    def script(self, token: str, behaviour: Behaviour, until: datetime | None, balance: int | None) -> None:
        """From now on the bank's account behaves so."""
        with bank.bank_transaction() as cursor:
            cursor.execute(
                "UPDATE sandbox_bank.account SET behaviour = %s, until = %s, balance_minor = %s, charges = 0"
                " WHERE token = %s",
                [behaviour.value, until, balance, token],
            )
        account = self.bank.accounts[token]
        account.behaviour, account.until, account.balance, account.charges = behaviour, until, balance, 0

    def txn_of(self, attempt: Attempt) -> str | None:
        """The bank's own number for what it took, if it did."""
        with bank.bank_transaction() as cursor:
            cursor.execute("SELECT txn FROM sandbox_bank.debit WHERE number = %s AND code = ''", [attempt.id.hex])
            found = cursor.fetchone()
        return found[0] if found else None

    def collect_attempts(self, *, charged: bool = True, whole: bool = False) -> list[Attempt]:
        """Show the model the attempts that were made since it last looked, and let it say what they came to."""
        rows = Deduction.objects.filter(realm_id=self.realm_id).exclude(pk__in=self.collection.attempts)
        new = [self._attempt(row) for row in rows.select_related("instrument").order_by("id")]
        for attempt in new:
            assert not whole or all(amount == debt.owed for debt, amount in attempt.lines)
            self.collection.begin(attempt)
        for attempt in new if charged else ():
            self.collection.apply_result(attempt, self.collection.charge(attempt, at=self.at), at=self.at)
        return new

    def _attempt(self, row: Deduction) -> Attempt:
        lines = row.lines.order_by("id").values_list("order_id", "obligation__sequence", "amount_minor")
        debts = [(self.debt(order_id, sequence), amount) for order_id, sequence, amount in lines]
        return Attempt(row.id, self.people[row.person_id], row.instrument.token, debts, self.at, self.at + LEASE)

    def debt(self, order_id: UUID, sequence: int) -> Debt:
        order = next(order for order in self.orders if order.id == order_id)
        return order.debts[sequence - 1]
