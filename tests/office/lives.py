"""A person with so many of everything behind them, as services bring it about."""

from datetime import timedelta
from typing import Any

from accounts.contacts import Made
from accounts.models import Person
from billing.channels import bank_returns
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.disputes import Withdrawal, take_back
from billing.services.instruments import add_instrument
from credit import limits
from credit.models import Agreement
from office.services.contacting import log_contact
from orders import services as orders
from orders.models import Order
from tests.billing.bench import deduction_of, give_back
from tests.billing.returning import sent_back
from tests.conftest import BY, NOON, Shop, opened, ordered, someone, yuan
from tests.falling import fall
from tests.visiting import it_is

DAY = timedelta(days=1)
LATE = NOON + 10 * DAY


def used(shop: Shop, agreement: Agreement, amount: str, **final: Any) -> Order:
    order = ordered(shop, agreement)
    return orders.complete_order(order.id, orders.Final(total=yuan(amount).minor, **final), by=BY, at=NOON)


def collected(shop: Shop, agreement: Agreement) -> Order:
    order = used(shop, agreement, "6")
    deduct_due(shop.realm_id, at=NOON)
    return order


def lived(shop: Shop, times: int) -> Person:
    """So many disputes, cases, returns, refunds, requests for help, debts, instruments, limits and contacts."""
    person = someone(shop)
    agreement, late = opened(shop, person), []
    for number in range(times):
        bank_returns.take_back(deduction_of(collected(shop, agreement)).number, "not_received", at=NOON)
        deliver_callbacks(shop.realm_id, at=NOON)
        wrong = Withdrawal(f"{person.id.hex[-6:]}-{number}", yuan("7"), "no_funds")
        take_back(deduction_of(collected(shop, agreement)).id, wrong, by=BY, at=NOON)
        sent_back(collected(shop, agreement))
        give_back(collected(shop, agreement), "1")
        owing = used(shop, agreement, "8", due_at=NOON + 3 * DAY)
        late.append(used(shop, agreement, "9", due_at=NOON + 3 * DAY))
        orders.report_problem(owing.id, "other", "x", by=BY, at=NOON)
        limits.change_limit(person.id, 900_000 + number, "核实收入后", by=BY, at=NOON)
        add_instrument(person, "sandbox", f"{person.id.hex}-{number}", f"银行卡 {number}", at=NOON)
    fall(shop.realm_id, at=LATE, limit=1000)
    for number, order in enumerate(late):
        at = LATE + number // 3 * DAY
        it_is(at, person)
        made = Made(way="call", outcome="reached", order_id=order.id, note="说月底还<b>")
        log_contact(person.id, made, by=BY, at=at)
    return person
