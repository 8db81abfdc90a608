"""The list of event types is complete: each type is published, and no other."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest
from django.forms.models import model_to_dict

from billing.channels import bank, bank_disputes
from billing.models import Dispute, Payout, Return
from billing.services.callbacks import deliver_callbacks
from billing.services.cases import close_case
from billing.services.deduct import deduct_due
from billing.services.dispute_deadlines import process_due_disputes
from billing.services.dispute_evidence import contest_dispute
from billing.services.outcome_polling import poll_deductions
from billing.services.pay import pay_now
from billing.services.payout_returns import record_payout_return
from billing.services.payouts import pay_out_due
from billing.services.refunds import RefundDetails, refund_order
from billing.services.return_deadlines import process_due_returns
from billing.services.return_decisions import absorb_return, deny_return, refuse_return
from billing.services.returns import Parcel, open_return, withdraw_return
from billing.services.settlements import settle_due
from credit import services as credit
from merchants import services as merchants
from merchants.models import Event, WebhookDelivery
from merchants.rules.events import ALL, EVENT_TYPES, PING, is_event_filter, matches_filters, wildcard_filters
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import latest_deduction_of
from tests.billing.helpers import paid_order as collected
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.overdue import make_overdue

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ("merchants", "credit", "orders", "billing")
LATER = NOON + timedelta(days=4)


def event_types_in_code() -> set[str]:
    """Every string literal in the services that looks like an event type."""
    first = {name.partition(".")[0] for name in EVENT_TYPES}
    files = [path for app in HOUSE for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]
    texts = (
        node.value
        for path in files
        if "services" in str(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {text for text in texts if text.count(".") == 1 and text.partition(".")[0] in first and text.islower()}


def test_every_event_type_in_the_code_is_in_the_list() -> None:
    assert event_types_in_code() <= set(EVENT_TYPES)
    assert set(EVENT_TYPES) - event_types_in_code() <= {
        "webhook_endpoint.disabled",
        "webhook_endpoint.ping",
    }  # named there


def refund_and_settle(shop: Shop, paid: Order) -> None:
    """One refund succeeds and one fails; a settlement is paid out, and returned by the bank."""
    for behaviour in (bank.Behaviour.PAYS, bank.Behaviour.HARD_DECLINE):
        bank.change_account(paid.person.instruments.get().token, behaviour)
        refund_order(paid.id, RefundDetails(amount_minor=100, reason="x"), by=BY, at=NOON)
    settle_due(shop.realm_id, at=LATER)
    pay_out_due(shop.realm_id, at=LATER)
    case = record_payout_return(Payout.objects.latest("id").id, txn="x", evidence="x", by=BY, at=LATER)
    close_case(case.id, "merchant", "x", by=BY, at=LATER)


def dispute_and_contest(shop: Shop) -> None:
    """The bank disputes two deductions; the evidence against one of them wins."""
    for evidence in (bank_disputes.WINNING_EVIDENCE, "x"):
        bank_disputes.reverse_debit(latest_deduction_of(collected(shop)).number, "not_received", at=NOON)
        deliver_callbacks(shop.realm_id, at=NOON)
        contest_dispute(Dispute.objects.latest("id").id, evidence, by=BY, at=NOON)
    for days in (0, 1):
        process_due_disputes(shop.realm_id, at=NOON + timedelta(days=days))


def return_order(shop: Shop) -> None:
    """Five returns: withdrawn, unanswered, and refused with the merchant, the person or the platform liable."""
    parcel = Parcel(carrier="x", tracking_number="1", reason="x")
    kept, *others = (collected(shop) for _ in range(4))
    open_return(make_due_order(shop, make_person(shop, "no_funds"), yuan("5")).id, parcel, by=BY, at=NOON)
    withdraw_return(Return.objects.latest("id").id, by=BY, at=NOON)
    rows = [open_return(order.id, parcel, by=BY, at=NOON)[0] for order in (kept, *others)]
    for row, end in zip(rows, (deny_return, absorb_return), strict=False):
        refuse_return(row.id, "x", by=BY, at=NOON)
        end(row.id, "x", by=BY, at=NOON)
    for days in (7, 10):
        process_due_returns(shop.realm_id, at=NOON + timedelta(days=days))


def catch_up(shop: Shop, order: Order) -> None:
    """The first instalment of a plan is overdue, and then paid."""
    make_overdue(shop.realm_id, at=NOON + timedelta(days=34), limit=9)
    pay_now(order.id, amount_minor=300, by=BY, at=NOON + timedelta(days=34))


@pytest.mark.django_db(transaction=True)
def test_every_listed_event_type_is_published_and_no_other(power_bank: Shop, shop: Shop) -> None:
    hook, _ = merchants.add_endpoint(
        power_bank.merchant.id, "http://127.0.0.1:9/", event_types=["agreement.closing"], by=BY, at=NOON
    )
    merchants.ping_endpoint(power_bank.merchant.id, hook.id, by=BY, at=NOON)
    paid = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    lowered = make_order(power_bank, paid.agreement)
    orders.complete_order(lowered.id, orders.CompletionRequest(total=500), by=BY, at=NOON)
    orders.reduce_total(lowered.id, 300, "x", by=BY, at=NOON)
    forgiven = make_order(power_bank, paid.agreement)
    orders.complete_order(forgiven.id, orders.CompletionRequest(total=500), by=BY, at=NOON)
    orders.cancel_order(forgiven.id, "x", by=BY, at=NOON)
    owing = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("7"))
    deduct_due(power_bank.realm_id, at=NOON)
    poll_deductions(power_bank.realm_id, at=NOON)
    refund_and_settle(power_bank, paid)
    struggling = make_due_order(power_bank, make_person(power_bank), yuan("9"))
    plan = orders.PlanOffer(3, 30)
    orders.choose_plan(struggling.person_id, None, plan, expected=[yuan("9")], by=BY, at=NOON)
    make_overdue(power_bank.realm_id, at=LATER, limit=9)
    orders.write_off(owing.id, "gone", by=BY, at=LATER)
    credit.stop_agreement(owing.agreement_id, by=BY, at=LATER)
    quitting = make_agreement(power_bank, make_person(power_bank))
    going = make_order(power_bank, quitting)
    credit.stop_agreement(quitting.id, by=BY, at=NOON)
    orders.cancel_order(going.id, "x", by=BY, at=NOON)
    confirmed = make_order(shop, make_agreement(shop, make_person(shop)))
    wish = orders.OrderRequest(
        agreement_id=confirmed.agreement_id, out_order_no="w", title="x", currency="CNY", amount=1
    )
    orders.open_order(shop.merchant.id, wish, by=BY, at=NOON)
    orders.expire_unconfirmed(shop.realm_id, at=NOON + timedelta(days=31), limit=9)
    dispute_and_contest(shop)
    return_order(shop)
    catch_up(power_bank, struggling)

    events = set(Event.objects.values_list("type", flat=True))
    assert events <= set(EVENT_TYPES)
    assert set(EVENT_TYPES) - events <= {"webhook_endpoint.disabled"}  # test_delivering
    failed = Event.objects.filter(type="deduction.failed").earliest("sequence").data
    assert failed["attempt"] == 1
    assert failed["failure"]["class"] == "soft"
    assert failed["next_attempt_at"] is not None
    for subject in Event.objects.values_list("subject_id", flat=True).distinct():
        numbers = Event.objects.filter(subject_id=subject).values_list("sequence", flat=True)
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_an_endpoint_asks_for_a_type_a_kind_or_everything() -> None:
    assert all(map(is_event_filter, [ALL, "order.*", "order.opened", *wildcard_filters()]))
    assert not any(map(is_event_filter, ["", "order", "order.", "*.*", "order.op*", "ORDER.*", "x.*", PING]))
    assert matches_filters(["order.*"], "order.opened")
    assert matches_filters([ALL], "obligation.paid")
    assert not matches_filters(["order.*", "order.opened"], "obligation.paid")
    assert not matches_filters([ALL, "webhook_endpoint.*"], PING)


@pytest.mark.django_db(transaction=True)
def test_deliveries_are_created_for_matching_endpoints_like_new_rows(shop: Shop) -> None:
    asked = [
        [ALL],
        ["order.*", "obligation.paid"],
        ["settlement.paid"],
        [ALL, "webhook_endpoint.*"],
        wildcard_filters(),
    ]
    hooks = [
        merchants.add_endpoint(shop.merchant.id, f"http://127.0.0.1:9/{n}", event_types=filters, by=BY, at=NOON)[0]
        for n, filters in enumerate(asked)
    ]
    news = [
        merchants.NewEvent(shop.merchant.id, name, shop.merchant.id, {"n": n}) for n, name in enumerate(EVENT_TYPES)
    ]
    merchants.publish(news, realm_id=shop.realm_id, at=NOON)

    copies = list(WebhookDelivery.objects.select_related("event").filter(event__subject_id=shop.merchant.id))
    heard = {(copy.endpoint_id, copy.event.type) for copy in copies}
    assert heard == {
        (hook.id, name) for hook in hooks for name in EVENT_TYPES if matches_filters(hook.event_types, name)
    }
    assert len(heard) == len(copies)
    for copy in copies:
        new = WebhookDelivery(
            realm_id=shop.realm_id, endpoint_id=copy.endpoint_id, event=copy.event, next_at=NOON, created_at=NOON
        )
        assert model_to_dict(copy) | {"id": None} == model_to_dict(new) | {"id": None}
        assert copy.id.version == 7
        assert copy.id.hex[:16] == copy.event_id.hex[:16]
