"""A person with a number of rows of every kind, created through services."""

from datetime import timedelta
from typing import Any

from accounts.contacts import NewContact
from accounts.models import Person
from billing.channels import bank_disputes
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.disputes import Chargeback, record_chargeback
from billing.services.instruments import add_instrument
from credit import limits
from credit.models import Agreement
from office.services.collection_contacts import log_contact
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import issue_refund, latest_deduction_of
from tests.billing.return_helpers import opened_return
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, yuan
from tests.overdue import make_overdue

DAY = timedelta(days=1)
LATE = NOON + 10 * DAY


def completed_order(shop: Shop, agreement: Agreement, amount: str, **final: Any) -> Order:
    order = make_order(shop, agreement)
    return orders.complete_order(order.id, orders.CompletionRequest(total=yuan(amount).minor, **final), by=BY, at=NOON)


def deducted_order(shop: Shop, agreement: Agreement) -> Order:
    order = completed_order(shop, agreement, "6")
    deduct_due(shop.realm_id, at=NOON)
    return order


def person_with_history(shop: Shop, times: int) -> Person:
    """A person with `times` disputes, cases, returns, refunds, requests, debts, instruments, limits and contacts."""
    person = make_person(shop)
    agreement, late = make_agreement(shop, person), []
    for number in range(times):
        bank_disputes.reverse_debit(
            latest_deduction_of(deducted_order(shop, agreement)).number, "not_received", at=NOON
        )
        deliver_callbacks(shop.realm_id, at=NOON)
        wrong = Chargeback(f"{person.id.hex[-6:]}-{number}", yuan("7"), "no_funds")
        record_chargeback(latest_deduction_of(deducted_order(shop, agreement)).id, wrong, by=BY, at=NOON)
        opened_return(deducted_order(shop, agreement))
        issue_refund(deducted_order(shop, agreement), "1")
        owing = completed_order(shop, agreement, "8", due_at=NOON + 3 * DAY)
        late.append(completed_order(shop, agreement, "9", due_at=NOON + 3 * DAY))
        orders.report_problem(owing.id, "other", "x", by=BY, at=NOON)
        limits.change_limit(person.id, 900_000 + number, "核实收入后", by=BY, at=NOON)
        add_instrument(person, "sandbox", f"{person.id.hex}-{number}", f"银行卡 {number}", at=NOON)
    make_overdue(shop.realm_id, at=LATE, limit=1000)
    for number, order in enumerate(late):
        at = LATE + number // 3 * DAY
        freeze_clock(at, person)
        made = NewContact(way="call", outcome="reached", order_id=order.id, note="说月底还<b>")
        log_contact(person.id, made, by=BY, at=at)
    return person
