"""Each thing that takes two, from the page it is asked at to what it did; and what one colleague does to an order."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from accounts import services as accounts
from accounts.models import AccountEvent, User
from billing.models import Refund
from billing.refusals import TransactionUsed
from billing.services.deduct import deduct_due
from billing.services.resolve import resolve_unknown
from credit.models import LimitChange
from kernel.actor import Actor
from kernel.maker_checker import MATTERS
from kernel.refusal import SecondNeeded
from ledger.models import Posting
from office.models import Proposal
from orders import services as orders
from orders.models import Order
from tests.billing.bench import balances, deduction_of, owed_of, paid, taken_from
from tests.conftest import BY, NOON, Shop, completed, fresh, make_shop, someone, state_of, yuan
from tests.console.conftest import does, staff, words_of
from tests.console.test_policy_pages import publish as publish_page
from tests.office.seconds import ASKED, asked, decided, now, txn_of
from tests.stillness import nothing_moves
from tests.visiting import it_is, signed_in

LATE = NOON + timedelta(days=10)


def path(row: object, verb: str) -> str:
    return f"/ops/do/{row.public_id}/{verb}"  # type: ignore[attr-defined]


def test_every_matter_is_one_of_those_that_take_two() -> None:
    assert set(MATTERS) == {
        "accept",
        "approve_merchant",
        "call_off",
        "cancel",
        "change_limit",
        "change_roles",
        "close_case",
        "dispute_policy",
        "ease_policy",
        "enrolment_code",
        "forget_colleague",
        "invite_owner",
        "late_policy",
        "leave",
        "let_back_in",
        "limit_merchant",
        "limit_policy",
        "lost",
        "lower",
        "lower_total",
        "mark_paid",
        "new_colleague",
        "new_password",
        "nothing",
        "pay_out_left",
        "refund",
        "resolve",
        "resume_merchant",
        "retry_policy",
        "return_borne",
        "return_came",
        "return_policy",
        "say_movement",
        "set_fee",
        "suspense",
        "taken_back",
        "waive_fees",
        "write_off",
    }
    assert all(matter.deciders for matter in MATTERS.values())


@pytest.mark.usefixtures("all_asked")
def test_late_fees_are_forgiven_by_two(support: Client, boss: Client) -> None:
    strict = make_shop("严谨", grace=timedelta(), late_fee_daily_bps=100, late_fee_cap_bps=2000, ceiling_minor=100_000)
    order = completed(strict, someone(strict, "no_funds"), yuan("100"))
    deduct_due(strict.realm_id, at=NOON)
    orders.mark_overdue(strict.realm_id, at=LATE, limit=9)
    orders.close_days(strict.realm_id, at=LATE + timedelta(days=2), limit=9)
    it_is(LATE + timedelta(days=2), order.person)
    fees = balances(strict)["late_fees"]
    assert fees
    page = words_of(support.get(path(order, "waive_fees")))
    assert "减免逾期费" in page
    assert "逾期费减免" in page
    decided(boss, asked(support, path(order, "waive_fees"), note="系统故障"))
    assert "late_fees" not in balances(strict)
    assert order.history.latest("seq").kind == "fees_waived"
    assert state_of(order) == "overdue"
    assert "没有未付的逾期费" in words_of(support.get(path(order, "waive_fees")))


def test_money_is_given_back_by_one_and_much_of_it_by_two(support: Client, boss: Client) -> None:
    shop = make_shop("大件", ceiling_minor=500_000)
    order = paid(shop, "3000")
    it_is(NOON, order.person)
    for wrong in ("", "0", "-1", "1.234", "x"):
        with nothing_moves(*ASKED[2:]):
            assert does(support, path(order, "refund"), amount=wrong, note="x").status_code == 422
    look = support.post(path(order, "refund"), {"amount": "5", "note": "x", "step": "look", "token": "0" * 24})
    assert "发起退款" in words_of(look)
    assert not Refund.objects.exists()
    does(support, path(order, "refund"), amount="5", note="坏了")
    assert Refund.objects.get().state == "succeeded"
    with nothing_moves(*ASKED):
        row = asked(support, path(order, "refund"), amount="1000.00", note="全坏")
    assert "1000.00" in words_of(boss.get(f"/ops/second/{row.public_id}"))
    decided(boss, row)
    made = Refund.objects.latest("pk")
    assert (made.state, made.amount_minor) == ("succeeded", 100_000)
    assert taken_from(order.person) == [yuan("3000")]
    assert fresh(order.id).refunded_minor == 100_500
    assert does(support, path(order, "refund"), amount="9000", note="x").status_code == 302
    stuck = Proposal.objects.latest("pk")
    assert decided(boss, stuck).status_code == 422
    stuck = now(stuck)
    assert stuck.state == "open"


def test_how_it_ended_is_said_by_two_after_three_days(
    power_bank: Shop, boss: Client, at_desk: Callable[..., Client]
) -> None:
    finance = at_desk("finance")
    order = completed(power_bank, someone(power_bank, "timeout_then_not_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    made = deduction_of(order)
    it_is(NOON + timedelta(days=1), order.person)
    assert "满三天" in words_of(finance.get(path(made, "resolve")))
    it_is(NOON + timedelta(days=4), order.person)
    evidence = {"outcome": "not_taken", "txn": "", "evidence": "银行函 2026-11-24 第 7 号", "note": "银行已答复"}
    for wrong in ({"outcome": ""}, {"evidence": " "}, {"txn": "T1"}, {"outcome": "taken"}):
        with nothing_moves(*ASKED[2:]):
            assert does(finance, path(made, "resolve"), **(evidence | wrong)).status_code == 422, wrong
    with nothing_moves(), pytest.raises(SecondNeeded):
        resolve_unknown(made.id, txn="", evidence="x", by=Actor.staff(made.id), at=NOON + timedelta(days=4))
    row = asked(finance, path(made, "resolve"), **evidence)
    assert "银行函 2026-11-24 第 7 号" in words_of(boss.get(f"/ops/second/{row.public_id}"))
    decided(boss, row)
    made = deduction_of(order)
    assert (made.state, made.failure_code) == ("failed", "not_taken")
    said = made.history.get(kind="said_by_colleagues")
    assert (said.data["evidence"], "+" in said.by) == (evidence["evidence"], True)
    assert made.reports.latest("pk").source == "colleagues"
    assert owed_of(order).in_flight is None
    assert finance.get(path(made, "resolve")).status_code == 404


def test_money_that_was_taken_is_booked_under_the_channels_own_number(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "timeout_then_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    made = deduction_of(order)
    at = NOON + timedelta(days=4)
    other = deduction_of(paid(power_bank))
    with pytest.raises(TransactionUsed):
        resolve_unknown(made.id, txn=str(other.channel_txn), evidence="x", by=BY, at=at)
    done = resolve_unknown(made.id, txn=txn_of(made), evidence="对账单", by=BY, at=at)
    assert (done.state, state_of(order)) == ("succeeded", "deducted")


def test_a_limit_is_set_by_two(power_bank: Shop, risk: Client, boss: Client) -> None:
    person = completed(power_bank, someone(power_bank), yuan("5")).person
    assert "目前额度" in words_of(risk.get(path(person, "change_limit")))
    for wrong in ("", "x", "-1"):
        with nothing_moves(*ASKED[2:]):
            assert does(risk, path(person, "change_limit"), limit=wrong, note="x").status_code == 422
    row = asked(risk, path(person, "change_limit"), limit="88.00", note="收入下降")
    page = words_of(boss.get(f"/ops/second/{row.public_id}"))
    assert "88.00" in page
    assert "有改动" in page
    decided(boss, row)
    person.profile.refresh_from_db()
    change = LimitChange.objects.get()
    assert (person.profile.limit_minor, change.limit_minor, change.reason) == (8800, 8800, "收入下降")
    assert "+" in change.by
    huge = asked(risk, path(person, "change_limit"), limit="999999999", note="x")
    with nothing_moves(*ASKED[2:]):
        assert decided(boss, huge).status_code == 422


def test_roles_are_given_by_two_others(boss: Client) -> None:
    new = staff("viewer", name="wang")
    other = staff("supervisor", name="zhao")
    row = asked(boss, path(new, "change_roles"), roles=["finance", "risk"], note="转岗")
    zhao = signed_in(other)
    page = words_of(zhao.get(f"/ops/second/{row.public_id}"))
    assert "财务、风控" in page
    assert "只读" in page
    decided(zhao, row)
    assert sorted(new.groups.values_list("name", flat=True)) == ["finance", "risk"]
    event = AccountEvent.objects.get(kind="roles_changed")
    assert event.data == {"before": ["viewer"], "after": ["finance", "risk"], "note": "转岗"}
    about_zhao = asked(boss, path(other, "change_roles"), roles=["viewer"], note="x")
    with nothing_moves(*ASKED[2:]):
        assert decided(zhao, about_zhao).status_code == 422
    person = accounts.register_person("+8613812345678", realm_id=1, by=BY, at=NOON)
    assert boss.get(path(person.user or person, "change_roles")).status_code == 404
    assert does(boss, path(new, "change_roles"), roles=["king"], note="x").status_code == 422


def test_the_last_supervisor_stays(boss: Client) -> None:
    me = User.objects.get(username="supervisor")
    root = User.objects.create_superuser("root", "correct horse battery")
    row = asked(signed_in(root), path(me, "change_roles"), roles=["viewer"], note="x")
    assert decided(signed_in(root), row).status_code == 422
    second = User.objects.create_superuser("root2", "correct horse battery")
    page = decided(signed_in(second), row)
    assert page.status_code == 422
    assert "至少须保留一位主管" in words_of(page)


def test_a_policys_terms_stand_side_by_side_before_they_are_agreed_to(risk: Client, boss: Client) -> None:
    publish_page(risk)
    page = boss.get(f"/ops/second/{Proposal.objects.get().public_id}")
    assert "10, 15" in words_of(page)
    assert page.content.decode().count('class="changed"') == 3  # the days, the hour, the calendar
    assert "笔下次扣款中" in words_of(page)


def test_what_one_colleague_does_to_an_order_alone(power_bank: Shop, support: Client) -> None:
    order = completed(power_bank, someone(power_bank), yuan("12.34"), due_at=NOON + timedelta(days=3))
    it_is(NOON, order.person)
    day = support.get(path(order, "move_date")).content.decode().partition('<option value="')[2].partition('"')[0]
    does(support, path(order, "move_date"), to=day, note="发薪日")
    assert owed_of(order).moved_at is not None
    assert order.history.latest("seq").data["note"] == "发薪日"
    assert "不能再改" in words_of(support.get(path(order, "move_date")))
    with nothing_moves(*ASKED[2:]):
        assert does(support, path(order, "lower_total"), total="99", note="x").status_code == 422
    does(support, path(order, "lower_total"), total="10", note="多收")
    assert fresh(order.id).total_minor == 1000
    future = {"reference": "R1", "paid_at": "2036-01-01T00:00", "note": "x"}
    with nothing_moves(*ASKED[2:]):
        assert does(support, path(order, "mark_paid"), **future).status_code == 422
    does(support, path(order, "mark_paid"), reference="R1", paid_at="2026-11-20T12:00", note="现金")
    assert state_of(order) == "deducted"
    assert "没有欠款" in words_of(support.get(path(order, "mark_paid")))
    assert "订单已经结束" in words_of(support.get(path(order, "cancel")))


def test_an_order_is_called_off_after_a_look_at_the_book(power_bank: Shop, support: Client) -> None:
    order = completed(power_bank, someone(power_bank), yuan("12.34"), due_at=NOON + timedelta(days=3))
    it_is(NOON, order.person)
    with nothing_moves("django_session"):
        page = words_of(support.get(path(order, "cancel")))
    assert "订单取消" in page
    before = Posting.objects.count()
    does(support, path(order, "cancel"), note="商户要求")
    assert (state_of(order), Posting.objects.count() > before) == ("cancelled", True)
    assert Order.objects.get(pk=order.pk).cancel_reason == "商户要求"
