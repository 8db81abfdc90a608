"""A person's own limits: what others ask for keeps to them, whole: from elsewhere, on another day, or never."""

from datetime import timedelta

import pytest

from accounts.models import Notice, Person
from billing import purse
from billing.channels.bank import Behaviour
from billing.models import Deduction, Instrument
from billing.planning import Kind, Limits, Policy, Situation, Source, after_failure, followed
from billing.refusals import AboveLimits, LimitInvalid
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, add_bank_account, limit_instrument, put_instrument
from billing.services.pay import collect_now, pay_now
from credit import services as credit
from kernel.money import Money
from merchants import services as merchants
from orders import services as orders
from orders.models import Obligation, Order, Plan
from tests.api import Api
from tests.billing.bench import taken_from
from tests.billing.test_split import debts as debts_of_a_poor_person
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, state_of, yuan

MORNING = NOON.replace(hour=2)  # 10:00 in Shanghai
A_DAY = timedelta(days=1)


def owing(shop: Shop, person: Person, *amounts: str) -> list[Order]:
    agreement = opened(shop, person)
    found = []
    for minutes, amount in enumerate(amounts):
        order = ordered(shop, agreement, ceiling=yuan(amount).minor)
        final = orders.Final(total=yuan(amount).minor, due_at=NOON + timedelta(minutes=minutes))
        found.append(orders.complete_order(order.id, final, by=BY, at=NOON))
    return found


def limited(person: Person, most: str = "", daily: str = "", place: int = 0) -> Instrument:
    row = person.instruments.order_by("priority")[place]
    limits = [yuan(text) if text else None for text in (most, daily)]
    limit_instrument(person.id, row.id, *limits, by=BY, at=NOON)
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
def test_a_limit_is_kept_to_the_cent(limits: Limits, amount: int, beside: int, today: int, *, allowed: bool) -> None:
    assert limits.allow(Money(amount), beside=beside, today=today) is allowed


def test_what_cannot_be_held_against_a_limit_is_not_within_it() -> None:
    assert not Limits(most=500).allow(Money(1, "EUR"))
    assert Limits().allow(Money(1, "EUR"))


def test_a_plan_names_only_what_the_amount_fits_into() -> None:
    sources = (Source("a", "A", Limits(most=100)), Source("b", "B"))
    now = Situation(NOON, NOON, "Asia/Shanghai", sources, amount=Money(101), failed="b")
    assert {planned.source.id for planned in after_failure(Policy(), Kind.SOFT, now)} == {"b"}
    nowhere = Situation(NOON, NOON, "Asia/Shanghai", sources[:1], amount=Money(101))
    assert after_failure(Policy(), Kind.SOFT, nowhere) == []


def test_plans_follow_the_order_of_instruments_but_for_attempts_with_a_reason_of_their_own() -> None:
    plan = [
        {"at": "1", "reason": "due", "instrument": None},
        {"at": "2", "reason": "next_instrument", "source": "a", "instrument": "A"},
        {"at": "3", "reason": "retry_1d", "source": "a", "instrument": "A"},
        {"at": "4", "reason": "split", "source": "gone", "instrument": "C"},
    ]
    after = followed(plan, [Source("b", "B"), Source("a", "A")])
    assert [attempt.get("source") for attempt in after] == [None, "a", "b", "b"]
    assert followed(plan, []) == plan


def test_what_is_too_much_for_the_first_is_taken_whole_from_the_next(power_bank: Shop, ada: Person) -> None:
    other = add_bank_account(ada, Script(Behaviour.PAYS), by=BY, at=NOON)
    limited(ada, most="5")
    (order,) = owing(power_bank, ada, "6")
    deduct_due(power_bank.realm_id, at=NOON)
    assert state_of(order) == "deducted"
    deduction = Deduction.objects.get()
    assert (deduction.instrument_id, deduction.amount_minor, deduction.reason) == (other.id, 600, "due")


def test_what_does_not_fit_into_today_is_taken_whole_tomorrow(power_bank: Shop, ada: Person) -> None:
    limited(ada, daily="10")
    first, second, third = owing(power_bank, ada, "6", "5", "4")
    then = NOON + timedelta(hours=1)
    deduct_due(power_bank.realm_id, at=then)

    assert taken_from(ada) == [yuan("10")]
    assert [state_of(order) for order in (first, second, third)] == ["deducted", "completed", "deducted"]
    assert [(p["at"], p["reason"]) for p in planned(second)] == [((MORNING + A_DAY).isoformat(), "limits")]
    assert Plan.objects.get(obligation__order=second).why == "put_off"
    assert deduct_due(power_bank.realm_id, at=then) == 0

    deduct_due(power_bank.realm_id, at=MORNING + A_DAY)
    assert taken_from(ada) == [yuan("10"), yuan("5")]
    assert Deduction.objects.latest("id").reason == "limits"


def test_a_debit_of_several_debts_stays_under_the_limit_of_one_deduction(power_bank: Shop, ada: Person) -> None:
    limited(ada, most="10")
    _first, second = owing(power_bank, ada, "6", "5")
    deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1))
    assert taken_from(ada) == [yuan("6")]
    assert planned(second)[0]["reason"] == "limits"


def test_what_the_person_paid_themselves_counts_for_the_day_and_is_not_refused(power_bank: Shop, ada: Person) -> None:
    row = limited(ada, most="5", daily="10")
    first, second = owing(power_bank, ada, "8", "5")
    pay_now(first.id, instrument_id=row.id, by=BY, at=NOON)
    assert state_of(first) == "deducted"
    deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1))
    assert state_of(second) == "completed"
    assert planned(second)[0]["reason"] == "limits"


def test_more_than_any_limit_is_left_to_the_person_who_is_told(power_bank: Shop, ada: Person) -> None:
    row = limited(ada, most="5")
    (order,) = owing(power_bank, ada, "6")
    deduct_due(power_bank.realm_id, at=NOON)

    owed = Obligation.objects.get(order=order)
    assert (owed.plan, owed.collect_at, owed.in_flight) == ([], None, None)
    assert owed.last_failure is not None
    assert owed.last_failure["code"] == "above_limits"
    assert not Deduction.objects.exists()
    assert "超出您设置的扣款限额" in Notice.objects.get(person=ada, stage="debit_failed").body

    limit_instrument(ada.id, row.id, yuan("6"), None, by=BY, at=NOON)
    assert planned(order)[0]["reason"] == "limits_raised"
    deduct_due(power_bank.realm_id, at=NOON)
    assert state_of(order) == "deducted"


def test_a_limit_that_is_lowered_or_no_limit_at_all_plans_nothing_anew(power_bank: Shop, ada: Person) -> None:
    (order,) = owing(power_bank, ada, "6")
    Obligation.objects.filter(order=order).update(plan=[], collect_at=None)  # its attempts are used up
    for most in ("9", "7", ""):
        limited(ada, most=most)
        assert planned(order) == []


def test_a_merchant_who_asks_keeps_to_them_too(power_bank: Shop, ada: Person) -> None:
    limited(ada, daily="10")
    order = completed(power_bank, ada, yuan("11"))
    with pytest.raises(AboveLimits):
        collect_now(order.id, by=BY, at=NOON)
    assert not Deduction.objects.exists()
    other = add_bank_account(ada, Script(Behaviour.PAYS), by=BY, at=NOON)
    (made,) = collect_now(order.id, by=BY, at=NOON)
    assert (made.state, made.instrument_id) == ("succeeded", other.id)


@pytest.mark.parametrize("limit", [Money(0), Money(-1)])
def test_a_limit_of_nothing_is_refused(ada: Person, limit: Money) -> None:
    row = ada.instruments.get()
    for most, daily in ((limit, None), (None, limit), (Money(1), Money(1, "EUR"))):
        with pytest.raises(LimitInvalid):
            limit_instrument(ada.id, row.id, most, daily, by=BY, at=NOON)
    row.refresh_from_db()
    assert not row.limits
    assert not row.changes.exists()


def test_putting_another_first_moves_what_is_planned_to_it(power_bank: Shop) -> None:
    (order,) = debts_of_a_poor_person(power_bank, "9", balance_minor=0)
    deduct_due(power_bank.realm_id, at=NOON)
    person = order.person
    rich = add_bank_account(person, Script(Behaviour.PAYS), "我的秘密", by=BY, at=NOON)
    assert {p["source"] for p in planned(order)} == {str(person.instruments.order_by("priority")[0].id)}

    for _twice in range(2):
        put_instrument(person.id, rich.id, 0, by=BY, at=NOON)

    assert {(p["source"], p["instrument"]) for p in planned(order)} == {(str(rich.id), rich.label)}
    assert Plan.objects.filter(why="other_instrument").count() == 1
    assert person.instruments.earliest("priority") == rich
    assert rich.label.startswith("沙箱银行卡 "), "what a person calls it is no merchant's business"
    assert "我的秘密" not in Api(power_bank).get(f"orders/{order.public_id}").content.decode()
    deduct_due(power_bank.realm_id, at=MORNING + A_DAY)
    assert state_of(order) == "deducted"


def test_somebody_without_limits_is_asked_about_as_before(power_bank: Shop) -> None:
    person = someone(power_bank)
    (order,) = owing(power_bank, person, "6")
    deduct_due(power_bank.realm_id, at=NOON)
    assert (state_of(order), taken_from(person)) == ("deducted", [yuan("6")])


def test_a_days_limit_counts_its_own_currency_alone(power_bank: Shop, ada: Person) -> None:
    limited(ada, daily="100")
    order = completed(power_bank, ada, yuan("6"))
    yen = {"name": "jpy", "mode": "dynamic", "ceiling_minor": 20_000, "currency": "JPY"}
    service = merchants.offer_service(power_bank.merchant.id, yen, by=BY, at=NOON)
    asked = credit.request_agreement(power_bank.merchant.id, service.id, "u-9", by=BY, at=NOON)
    agreement = credit.sign_agreement(asked.id, ada.id, by=BY, at=NOON).agreement
    abroad = ordered(power_bank, agreement, currency="JPY")
    orders.complete_order(abroad.id, orders.Final(total=15_000), by=BY, at=NOON)
    pay_now(abroad.id, by=BY, at=NOON)
    assert state_of(abroad) == "deducted"

    (account,), zones = ada.instruments.filter(channel="sandbox"), {ada.id: "Asia/Shanghai"}
    assert purse.taken_today([account], zones, at=NOON) == {}
    deduct_due(power_bank.realm_id, at=NOON)
    assert state_of(order) == "deducted"
    assert purse.taken_today([account], zones, at=NOON) == {account.id: 600}
