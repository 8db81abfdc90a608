"""Completion: the hold becomes a debt."""

from datetime import timedelta
from uuid import uuid4

import pytest

from accounts.models import Person
from credit.models import Agreement, Profile, ScoreChange
from kernel.refusal import NotFound, Refusal
from ledger.models import Posting
from merchants.models import Event
from orders import refusals
from orders import services as orders
from orders.models import Obligation, Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.unchanged import assert_unchanged


@pytest.fixture
def order(power_bank: Shop, ada: Person) -> Order:
    return make_order(power_bank, make_agreement(power_bank, ada), ceiling=5_000, starts_at=NOON - timedelta(hours=3))


def test_the_hold_becomes_a_debt_due_at_once_and_planned(order: Order, ada: Person) -> None:
    done = orders.complete_order(order.id, orders.CompletionRequest(total=1_234), by=BY, at=NOON)

    profile = Profile.objects.get(pk=ada.id)
    assert (profile.held_minor, profile.outstanding_minor, profile.open_orders) == (0, 1_234, 0)
    owed = Obligation.objects.get()
    assert (owed.amount_minor, owed.paid_minor, owed.state) == (1_234, 0, "pending")
    assert (owed.due_at, owed.collect_at, owed.overdue_from) == (NOON, NOON, NOON + timedelta(hours=72))
    assert owed.plan == [{"at": NOON.isoformat(), "instrument": None, "reason": "due"}]
    assert (done.state, done.total_minor, done.completed_at, done.ends_at) == ("completed", 1_234, NOON, NOON)
    posting = Posting.objects.get()
    assert (posting.debit_account, posting.credit_account, posting.amount_minor) == ("receivable", "pending", 1_234)


def test_an_order_paid_in_advance_owes_the_merchant_at_once_less_the_fee(parcel: Shop) -> None:
    make_due_order(parcel, make_person(parcel), yuan("12.50"))

    moved = [(p.debit_account, p.credit_account, p.amount_minor) for p in Posting.objects.order_by("line")]
    assert moved == [("receivable", "payable", 1_250), ("payable", "fees", 13)]


def test_items_less_discounts_are_the_total(order: Order) -> None:
    final = orders.CompletionRequest(
        items=[{"name": "三小时", "amount": 900}, {"name": "线", "amount": 500}],
        discounts=[{"name": "新客", "amount": 400}],
        end_location="虹桥",
    )
    done = orders.complete_order(order.id, final, by=BY, at=NOON)

    assert (done.total_minor, done.end_location) == (1_000, "虹桥")
    assert [item["name"] for item in done.items] == ["三小时", "线"]


def test_a_fixed_order_comes_to_what_was_ordered_when_nothing_is_said(shop: Shop) -> None:
    order = make_order(shop, make_agreement(shop, make_person(shop)))
    assert orders.complete_order(order.id, orders.CompletionRequest(), by=BY, at=NOON).total_minor == 4_990


def test_a_total_of_zero_is_finished_at_once_and_no_promise_kept(order: Order, ada: Person) -> None:
    done = orders.complete_order(order.id, orders.CompletionRequest(total=0), by=BY, at=NOON)

    assert (done.state, done.deducted_at) == ("deducted", NOON)
    assert not Obligation.objects.exists()
    assert not Posting.objects.exists()
    profile = Profile.objects.get(pk=ada.id)
    assert (profile.held_minor, profile.outstanding_minor, profile.kept_orders, profile.open_orders) == (0, 0, 0, 0)
    assert not ScoreChange.objects.exists()
    assert Agreement.objects.get().live_orders == 0
    types = list(Event.objects.filter(subject_id=order.id).order_by("sequence").values_list("type", flat=True))
    assert types == ["order.opened", "order.completed", "order.deducted"]


def test_the_same_completion_again_changes_nothing_even_after_it_was_paid(order: Order) -> None:
    final = orders.CompletionRequest(total=600, ends_at=NOON - timedelta(hours=1))
    orders.complete_order(order.id, final, by=BY, at=NOON)
    orders.mark_paid(order.id, NOON, "till", by=BY, at=NOON)
    with assert_unchanged():
        again = orders.complete_order(order.id, final, by=BY, at=NOON + timedelta(days=9))

    assert (again.state, again.completed_at) == ("deducted", NOON)


@pytest.mark.parametrize(
    ("final", "refusal"),
    [
        (orders.CompletionRequest(total=5_001), refusals.AboveCeiling),
        (orders.CompletionRequest(items=[{"name": "x", "amount": 5_001}]), refusals.AboveCeiling),
        (orders.CompletionRequest(), refusals.TotalInvalid),
        (orders.CompletionRequest(total=500, items=[{"name": "x", "amount": 400}]), refusals.TotalInvalid),
        (
            orders.CompletionRequest(items=[{"name": "x", "amount": 400}], discounts=[{"name": "y", "amount": 401}]),
            refusals.TotalInvalid,
        ),
        (orders.CompletionRequest(total=1, ends_at=NOON + timedelta(seconds=1)), refusals.EndsInFuture),
        (orders.CompletionRequest(total=1, ends_at=NOON - timedelta(hours=4)), refusals.TimesInvalid),
        (orders.CompletionRequest(total=1, due_at=NOON + timedelta(days=90, seconds=1)), refusals.TimesInvalid),
    ],
)
def test_a_completion_that_does_not_fit_changes_nothing(
    order: Order, final: orders.CompletionRequest, refusal: type[Refusal]
) -> None:
    with assert_unchanged(), pytest.raises(refusal):
        orders.complete_order(order.id, final, by=BY, at=NOON)


def test_a_due_time_is_kept_up_to_90_days_and_never_lies_in_the_past(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    later, past = (make_order(power_bank, agreement, ceiling=100) for _ in range(2))
    due = NOON + timedelta(days=90)
    orders.complete_order(later.id, orders.CompletionRequest(total=1, due_at=due), by=BY, at=NOON)
    orders.complete_order(past.id, orders.CompletionRequest(total=1, due_at=NOON - timedelta(days=9)), by=BY, at=NOON)

    assert Obligation.objects.get(order=later).due_at == due
    assert Obligation.objects.get(order=past).due_at == NOON


def test_only_an_open_order_is_completed(power_bank: Shop, shop: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    done, gone = (make_order(power_bank, agreement, ceiling=700) for _ in range(2))
    orders.complete_order(done.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    orders.cancel_order(gone.id, "x", by=BY, at=NOON)
    wish = orders.OrderRequest(
        agreement_id=make_agreement(shop, make_person(shop)).id, out_order_no="1", title="x", currency="CNY", amount=1
    )
    waiting = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert waiting is not None
    for order in (done, gone, waiting):
        with assert_unchanged(), pytest.raises(refusals.OrderState):
            orders.complete_order(order.id, orders.CompletionRequest(total=1), by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(NotFound):
        orders.complete_order(uuid4(), orders.CompletionRequest(total=1), by=BY, at=NOON)


def test_a_planned_end_in_the_future_becomes_now(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for foreseen, ended in ((timedelta(days=300), timedelta()), (timedelta(hours=-1), timedelta(hours=-1))):
        order = make_order(power_bank, agreement, starts_at=NOON - timedelta(hours=3), ends_at=NOON + foreseen)
        assert (
            orders.complete_order(order.id, orders.CompletionRequest(total=100), by=BY, at=NOON).ends_at == NOON + ended
        )
