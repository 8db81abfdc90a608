"""One list of event types: each of them really happens, and nothing else does."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest
from django.forms.models import model_to_dict

from billing.channels import bank, bank_returns
from billing.models import Dispute, Payout, Return
from billing.services.answers import contest_dispute
from billing.services.ask import ask_unknown
from billing.services.callbacks import deliver_callbacks
from billing.services.cases import close_case
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from billing.services.payout_returns import say_returned
from billing.services.payouts import pay_out_due
from billing.services.press_disputes import press_disputes
from billing.services.refund import Asked, refund_order
from billing.services.return_ends import bear_return, deny_return, refuse_return
from billing.services.returns import Parcel, open_return, withdraw_return
from billing.services.settlement import settle_due
from billing.services.watch_returns import watch_returns
from credit import services as credit
from merchants import services as merchants
from merchants.models import Event, WebhookDelivery
from merchants.rules.events import ALL, PING, TYPES, is_filter, kinds, wants
from orders import services as orders
from orders.models import Order
from tests.billing.bench import deduction_of
from tests.billing.bench import paid as collected
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, yuan
from tests.falling import fall

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ("merchants", "credit", "orders", "billing")
LATER = NOON + timedelta(days=4)


def named_in_the_code() -> set[str]:
    """Every text of the services that reads like a type of event: its kind is one of the list's."""
    first = {name.partition(".")[0] for name in TYPES}
    files = [path for app in HOUSE for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]
    texts = (
        node.value
        for path in files
        if "services" in str(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {text for text in texts if text.count(".") == 1 and text.partition(".")[0] in first and text.islower()}


def test_what_the_services_name_stands_in_the_list() -> None:
    assert named_in_the_code() <= set(TYPES)
    assert set(TYPES) - named_in_the_code() <= {"webhook_endpoint.disabled", "webhook_endpoint.ping"}  # named there


def given_back_and_paid_out(shop: Shop, paid: Order) -> None:
    """One refund arrives and one does not; a day of the merchant is settled, sent, and sent back by their bank."""
    for behaviour in (bank.Behaviour.PAYS, bank.Behaviour.HARD_DECLINE):
        bank.change_account(paid.person.instruments.get().token, behaviour)
        refund_order(paid.id, Asked(amount_minor=100, reason="x"), by=BY, at=NOON)
    settle_due(shop.realm_id, at=LATER)
    pay_out_due(shop.realm_id, at=LATER)
    case = say_returned(Payout.objects.latest("id").id, txn="x", evidence="x", by=BY, at=LATER)
    close_case(case.id, "merchant", "x", by=BY, at=LATER)


def taken_back_and_answered(shop: Shop) -> None:
    """The bank takes two debits back; what is said against one of them convinces it."""
    for evidence in (bank_returns.CONVINCING, "x"):
        bank_returns.take_back(deduction_of(collected(shop)).number, "not_received", at=NOON)
        deliver_callbacks(shop.realm_id, at=NOON)
        contest_dispute(Dispute.objects.latest("id").id, evidence, by=BY, at=NOON)
    for days in (0, 1):
        press_disputes(shop.realm_id, at=NOON + timedelta(days=days))


def sent_back(shop: Shop) -> None:
    """Five parcels and five ends: kept after all, silence, and a no that the merchant, the person or we bear."""
    parcel = Parcel(carrier="x", tracking_number="1", reason="x")
    kept, *others = (collected(shop) for _ in range(4))
    open_return(completed(shop, someone(shop, "no_funds"), yuan("5")).id, parcel, by=BY, at=NOON)
    withdraw_return(Return.objects.latest("id").id, by=BY, at=NOON)
    rows = [open_return(order.id, parcel, by=BY, at=NOON)[0] for order in (kept, *others)]
    for row, end in zip(rows, (deny_return, bear_return), strict=False):
        refuse_return(row.id, "x", by=BY, at=NOON)
        end(row.id, "x", by=BY, at=NOON)
    for days in (7, 10):
        watch_returns(shop.realm_id, at=NOON + timedelta(days=days))


def caught_up(shop: Shop, order: Order) -> None:
    """The first part of a plan is late, and then paid."""
    fall(shop.realm_id, at=NOON + timedelta(days=34), limit=9)
    pay_now(order.id, amount_minor=300, by=BY, at=NOON + timedelta(days=34))


@pytest.mark.django_db(transaction=True)
def test_every_type_of_the_list_is_published_by_somebodys_life_and_no_other(power_bank: Shop, shop: Shop) -> None:
    hook, _ = merchants.add_endpoint(
        power_bank.merchant.id, "http://127.0.0.1:9/", event_types=["agreement.closing"], by=BY, at=NOON
    )
    merchants.ping_endpoint(power_bank.merchant.id, hook.id, by=BY, at=NOON)
    paid = completed(power_bank, someone(power_bank), yuan("6"))
    lowered = ordered(power_bank, paid.agreement)
    orders.complete_order(lowered.id, orders.Final(total=500), by=BY, at=NOON)
    orders.lower_total(lowered.id, 300, "x", by=BY, at=NOON)
    forgiven = ordered(power_bank, paid.agreement)
    orders.complete_order(forgiven.id, orders.Final(total=500), by=BY, at=NOON)
    orders.cancel_order(forgiven.id, "x", by=BY, at=NOON)
    owing = completed(power_bank, someone(power_bank, "no_funds"), yuan("7"))
    deduct_due(power_bank.realm_id, at=NOON)
    ask_unknown(power_bank.realm_id, at=NOON)
    given_back_and_paid_out(power_bank, paid)
    struggling = completed(power_bank, someone(power_bank), yuan("9"))
    plan = orders.Offer(3, 30)
    orders.ease(struggling.person_id, None, plan, expected=[yuan("9")], by=BY, at=NOON)
    fall(power_bank.realm_id, at=LATER, limit=9)
    orders.write_off(owing.id, "gone", by=BY, at=LATER)
    credit.stop_agreement(owing.agreement_id, by=BY, at=LATER)
    quitting = opened(power_bank, someone(power_bank))
    going = ordered(power_bank, quitting)
    credit.stop_agreement(quitting.id, by=BY, at=NOON)
    orders.cancel_order(going.id, "x", by=BY, at=NOON)
    confirmed = ordered(shop, opened(shop, someone(shop)))
    wish = orders.Wish(agreement_id=confirmed.agreement_id, out_order_no="w", title="x", currency="CNY", amount=1)
    orders.open_order(shop.merchant.id, wish, by=BY, at=NOON)
    orders.expire_unconfirmed(shop.realm_id, at=NOON + timedelta(days=31), limit=9)
    taken_back_and_answered(shop)
    sent_back(shop)
    caught_up(power_bank, struggling)

    told = set(Event.objects.values_list("type", flat=True))
    assert told <= set(TYPES)
    assert set(TYPES) - told <= {"webhook_endpoint.disabled"}  # test_delivering
    failed = Event.objects.filter(type="deduction.failed").earliest("sequence").data
    assert failed["attempt"] == 1
    assert failed["failure"]["class"] == "soft"
    assert failed["next_attempt_at"] is not None
    for subject in Event.objects.values_list("subject_id", flat=True).distinct():
        numbers = Event.objects.filter(subject_id=subject).values_list("sequence", flat=True)
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_an_endpoint_asks_for_a_type_a_kind_or_everything() -> None:
    assert all(map(is_filter, [ALL, "order.*", "order.opened", *kinds()]))
    assert not any(map(is_filter, ["", "order", "order.", "*.*", "order.op*", "ORDER.*", "x.*", PING]))
    assert wants(["order.*"], "order.opened")
    assert wants([ALL], "obligation.paid")
    assert not wants(["order.*", "order.opened"], "obligation.paid")
    assert not wants([ALL, "webhook_endpoint.*"], PING)


@pytest.mark.django_db(transaction=True)
def test_a_copy_goes_to_whom_the_rule_says_and_is_as_a_new_one(shop: Shop) -> None:
    asked = [[ALL], ["order.*", "obligation.paid"], ["settlement.paid"], [ALL, "webhook_endpoint.*"], kinds()]
    hooks = [
        merchants.add_endpoint(shop.merchant.id, f"http://127.0.0.1:9/{n}", event_types=filters, by=BY, at=NOON)[0]
        for n, filters in enumerate(asked)
    ]
    news = [merchants.News(shop.merchant.id, name, shop.merchant.id, {"n": n}) for n, name in enumerate(TYPES)]
    merchants.publish(news, realm_id=shop.realm_id, at=NOON)

    copies = list(WebhookDelivery.objects.select_related("event").filter(event__subject_id=shop.merchant.id))
    heard = {(copy.endpoint_id, copy.event.type) for copy in copies}
    assert heard == {(hook.id, name) for hook in hooks for name in TYPES if wants(hook.event_types, name)}
    assert len(heard) == len(copies)
    for copy in copies:
        new = WebhookDelivery(
            realm_id=shop.realm_id, endpoint_id=copy.endpoint_id, event=copy.event, next_at=NOON, created_at=NOON
        )
        assert model_to_dict(copy) | {"id": None} == model_to_dict(new) | {"id": None}
        assert copy.id.version == 7
        assert copy.id.hex[:16] == copy.event_id.hex[:16]
