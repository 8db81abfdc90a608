"""Spending limits: deductions keep to them, in full, from another instrument, on another day, or never."""

from datetime import timedelta

import pytest

from accounts.models import Notice, Person
from billing import instrument_queries
from billing.channels.bank import Behaviour
from billing.models import Deduction, Instrument
from billing.planning import FailureClass, Limits, Policy, Situation, Source, attempts_after_failure, reassign_sources
from billing.refusals import AboveLimits, LimitInvalid
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, add_bank_account, move_instrument, set_instrument_limits
from billing.services.pay import collect_now, pay_now
from credit import services as credit
from kernel.money import Money
from merchants import services as merchants
from orders import services as orders
from orders.models import Obligation, Order, Plan
from tests.api import Api
from tests.billing.helpers import bank_debits_of
from tests.billing.test_split import debts as debts_of_a_poor_person
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, state_of, yuan

MORNING = NOON.replace(hour=2)  # 10:00 in Shanghai
A_DAY = timedelta(days=1)


def owing(shop: Shop, person: Person, *amounts: str) -> list[Order]:
    agreement = make_agreement(shop, person)
    found = []
    for minutes, amount in enumerate(amounts):
        order = make_order(shop, agreement, ceiling=yuan(amount).minor)
        final = orders.CompletionRequest(total=yuan(amount).minor, due_at=NOON + timedelta(minutes=minutes))
        found.append(orders.complete_order(order.id, final, by=BY, at=NOON))
    return found


def set_limits(person: Person, most: str = "", daily: str = "", place: int = 0) -> Instrument:
    row = person.instruments.order_by("priority")[place]
    limits = [yuan(text) if text else None for text in (most, daily)]
    set_instrument_limits(person.id, row.id, *limits, by=BY, at=NOON)
    row.refresh_from_db()
    return row


def planned(order: Order) -> list[dict[str, str]]:
    return list(Obligation.objects.get(order=order).plan)


@pytest.mark.parametrize(
    ("limits", "amount", "beside", "today", "allowed"),
    [
        (Limits(), 10**9, 10**9, 10**9, True),
        (Limits(most=500), 500, 0, 10**9, True),
        (Limits(most=500), 501, 0, 0, False),
        (Limits(most=500), 300, 201, 0, False),
        (Limits(a_day=500), 300, 300, 200, True),
        (Limits(a_day=500), 300, 0, 201, False),
    ],
)
def test_limits_are_exact_to_the_cent(limits: Limits, amount: int, beside: int, today: int, *, allowed: bool) -> None:
    assert limits.allows(Money(amount), same_debit=beside, today=today) is allowed


def test_an_amount_in_another_currency_is_not_within_a_limit() -> None:
    assert not Limits(most=500).allows(Money(1, "EUR"))
    assert Limits().allows(Money(1, "EUR"))


def test_a_plan_uses_only_instruments_whose_limits_fit() -> None:
    sources = (Source("a", "A", Limits(most=100)), Source("b", "B"))
    now = Situation(NOON, NOON, "Asia/Shanghai", sources, amount=Money(101), failed_source="b")
    assert {planned.source.id for planned in attempts_after_failure(Policy(), FailureClass.SOFT, now)} == {"b"}
    nowhere = Situation(NOON, NOON, "Asia/Shanghai", sources[:1], amount=Money(101))
    assert attempts_after_failure(Policy(), FailureClass.SOFT, nowhere) == []


def test_plans_follow_the_instrument_order_unless_an_attempt_names_one() -> None:
    plan = [
        {"at": "1", "reason": "due", "instrument": None},
        {"at": "2", "reason": "next_instrument", "source": "a", "instrument": "A"},
        {"at": "3", "reason": "retry_1d", "source": "a", "instrument": "A"},
        {"at": "4", "reason": "split", "source": "gone", "instrument": "C"},
    ]
    after = reassign_sources(plan, [Source("b", "B"), Source("a", "A")])
    assert [attempt.get("source") for attempt in after] == [None, "a", "b", "b"]
    assert reassign_sources(plan, []) == plan


def test_above_the_first_limit_it_is_taken_in_full_from_the_next(power_bank: Shop, ada: Person) -> None:
    other = add_bank_account(ada, Script(Behaviour.PAYS), by=BY, at=NOON)
    set_limits(ada, most="5")
    (order,) = owing(power_bank, ada, "6")
    deduct_due(power_bank.realm_id, at=NOON)
    assert state_of(order) == "deducted"
    deduction = Deduction.objects.get()
    assert (deduction.instrument_id, deduction.amount_minor, deduction.reason) == (other.id, 600, "due")


def test_above_the_daily_limit_it_is_taken_in_full_tomorrow(power_bank: Shop, ada: Person) -> None:
    set_limits(ada, daily="10")
    first, second, third = owing(power_bank, ada, "6", "5", "4")
    then = NOON + timedelta(hours=1)
    deduct_due(power_bank.realm_id, at=then)

    assert bank_debits_of(ada) == [yuan("10")]
    assert [state_of(order) for order in (first, second, third)] == ["deducted", "completed", "deducted"]
    assert [(p["at"], p["reason"]) for p in planned(second)] == [((MORNING + A_DAY).isoformat(), "limits")]
    assert Plan.objects.get(obligation__order=second).why == "put_off"
    assert deduct_due(power_bank.realm_id, at=then) == 0

    deduct_due(power_bank.realm_id, at=MORNING + A_DAY)
    assert bank_debits_of(ada) == [yuan("10"), yuan("5")]
    assert Deduction.objects.latest("id").reason == "limits"


def test_a_debit_of_several_debts_stays_under_the_limit_of_one_deduction(power_bank: Shop, ada: Person) -> None:
    set_limits(ada, most="10")
    _first, second = owing(power_bank, ada, "6", "5")
    deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1))
    assert bank_debits_of(ada) == [yuan("6")]
    assert planned(second)[0]["reason"] == "limits"


def test_own_payments_count_for_the_day_and_are_not_refused(power_bank: Shop, ada: Person) -> None:
    row = set_limits(ada, most="5", daily="10")
    first, second = owing(power_bank, ada, "8", "5")
    pay_now(first.id, instrument_id=row.id, by=BY, at=NOON)
    assert state_of(first) == "deducted"
    deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1))
    assert state_of(second) == "completed"
    assert planned(second)[0]["reason"] == "limits"


def test_above_every_limit_the_person_is_notified(power_bank: Shop, ada: Person) -> None:
    row = set_limits(ada, most="5")
    (order,) = owing(power_bank, ada, "6")
    deduct_due(power_bank.realm_id, at=NOON)

    owed = Obligation.objects.get(order=order)
    assert (owed.plan, owed.collect_at, owed.in_flight) == ([], None, None)
    assert owed.last_failure is not None
    assert owed.last_failure["code"] == "above_limits"
    assert not Deduction.objects.exists()
    told = Notice.objects.get(person=ada, stage="debit_failed").body
    assert f"从 {row.label} 扣款失败：超出您设置的扣款限额" in told

    set_instrument_limits(ada.id, row.id, yuan("6"), None, by=BY, at=NOON)
    assert planned(order)[0]["reason"] == "limits_raised"
    deduct_due(power_bank.realm_id, at=NOON)
    assert state_of(order) == "deducted"


def test_lowering_or_clearing_limits_plans_nothing_new(power_bank: Shop, ada: Person) -> None:
    (order,) = owing(power_bank, ada, "6")
    Obligation.objects.filter(order=order).update(plan=[], collect_at=None)  # its attempts are used up
    for most in ("9", "7", ""):
        set_limits(ada, most=most)
        assert planned(order) == []


def test_collecting_on_request_respects_limits(power_bank: Shop, ada: Person) -> None:
    set_limits(ada, daily="10")
    order = make_due_order(power_bank, ada, yuan("11"))
    with pytest.raises(AboveLimits):
        collect_now(order.id, by=BY, at=NOON)
    assert not Deduction.objects.exists()
    other = add_bank_account(ada, Script(Behaviour.PAYS), by=BY, at=NOON)
    (made,) = collect_now(order.id, by=BY, at=NOON)
    assert (made.state, made.instrument_id) == ("succeeded", other.id)


@pytest.mark.parametrize("limit", [Money(0), Money(-1)])
def test_a_zero_limit_is_refused(ada: Person, limit: Money) -> None:
    row = ada.instruments.get()
    for most, daily in ((limit, None), (None, limit), (Money(1), Money(1, "EUR"))):
        with pytest.raises(LimitInvalid):
            set_instrument_limits(ada.id, row.id, most, daily, by=BY, at=NOON)
    row.refresh_from_db()
    assert not row.limits
    assert not row.changes.exists()


def test_moving_an_instrument_first_moves_planned_attempts(power_bank: Shop) -> None:
    (order,) = debts_of_a_poor_person(power_bank, "9", balance_minor=0)
    deduct_due(power_bank.realm_id, at=NOON)
    person = order.person
    rich = add_bank_account(person, Script(Behaviour.PAYS), "我的秘密", by=BY, at=NOON)
    assert {p["source"] for p in planned(order)} == {str(person.instruments.order_by("priority")[0].id)}

    for _twice in range(2):
        move_instrument(person.id, rich.id, 0, by=BY, at=NOON)

    assert {(p["source"], p["instrument"]) for p in planned(order)} == {(str(rich.id), rich.label)}
    assert Plan.objects.filter(why="other_instrument").count() == 1
    assert person.instruments.earliest("priority") == rich
    assert rich.label.startswith("沙箱银行卡 "), "what a person calls it is no merchant's business"
    assert "我的秘密" not in Api(power_bank).get(f"orders/{order.public_id}").content.decode()
    deduct_due(power_bank.realm_id, at=MORNING + A_DAY)
    assert state_of(order) == "deducted"


def test_without_limits_no_extra_query_runs(power_bank: Shop) -> None:
    person = make_person(power_bank)
    (order,) = owing(power_bank, person, "6")
    deduct_due(power_bank.realm_id, at=NOON)
    assert (state_of(order), bank_debits_of(person)) == ("deducted", [yuan("6")])


def test_a_daily_limit_counts_only_its_currency(power_bank: Shop, ada: Person) -> None:
    set_limits(ada, daily="100")
    order = make_due_order(power_bank, ada, yuan("6"))
    yen = {"name": "jpy", "mode": "dynamic", "ceiling_minor": 20_000, "currency": "JPY"}
    service = merchants.offer_service(power_bank.merchant.id, yen, by=BY, at=NOON)
    asked = credit.request_agreement(power_bank.merchant.id, service.id, "u-9", by=BY, at=NOON)
    agreement = credit.sign_agreement(asked.id, ada.id, by=BY, at=NOON).agreement
    abroad = make_order(power_bank, agreement, currency="JPY")
    orders.complete_order(abroad.id, orders.CompletionRequest(total=15_000), by=BY, at=NOON)
    pay_now(abroad.id, by=BY, at=NOON)
    assert state_of(abroad) == "deducted"

    (account,), zones = ada.instruments.filter(channel="sandbox"), {ada.id: "Asia/Shanghai"}
    assert instrument_queries.taken_today([account], zones, at=NOON) == {}
    deduct_due(power_bank.realm_id, at=NOON)
    assert state_of(order) == "deducted"
    assert instrument_queries.taken_today([account], zones, at=NOON) == {account.id: 600}
