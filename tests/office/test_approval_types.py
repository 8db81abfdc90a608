"""Each action that needs approval, from request to result; and actions on orders by one colleague."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from accounts import services as accounts
from accounts.models import AccountEvent, User
from billing.models import Refund
from billing.refusals import TransactionUsed
from billing.services.deduct import deduct_due
from billing.services.manual_resolution import resolve_unknown
from credit.models import LimitChange
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.maker_checker import APPROVAL_TYPES
from kernel.refusal import ApprovalRequired
from ledger.models import Posting
from office.models import Proposal
from office.services import proposals
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import balances, bank_debits_of, latest_deduction_of, obligation_of, paid_order
from tests.browsing import freeze_clock, signed_in_client
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, reload_order, state_of, yuan
from tests.console.conftest import page_text, staff, submit_form
from tests.console.test_retry_policies import publish as publish_page
from tests.office.approval_helpers import PROPOSAL_TABLES, channel_txn_of, decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged

LATE = NOON + timedelta(days=10)


def path(row: object, verb: str) -> str:
    return f"/ops/do/{row.public_id}/{verb}"  # type: ignore[attr-defined]


def test_every_approval_type_is_tested() -> None:
    assert set(APPROVAL_TYPES) == {
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
    assert all(matter.approvers for matter in APPROVAL_TYPES.values())


@pytest.mark.usefixtures("all_attempted")
def test_waiving_late_fees_needs_approval(support: Client, supervisor: Client) -> None:
    strict = make_shop("严谨", grace=timedelta(), late_fee_daily_bps=100, late_fee_cap_bps=2000, ceiling_minor=100_000)
    order = make_due_order(strict, make_person(strict, "no_funds"), yuan("100"))
    deduct_due(strict.realm_id, at=NOON)
    orders.mark_overdue(strict.realm_id, at=LATE, limit=9)
    orders.close_days(strict.realm_id, at=LATE + timedelta(days=2), limit=9)
    freeze_clock(LATE + timedelta(days=2), order.person)
    fees = balances(strict)["late_fees"]
    assert fees
    page = page_text(support.get(path(order, "waive_fees")))
    assert "减免逾期费" in page
    assert "逾期费减免" in page
    decide_on_page(supervisor, propose_on_page(support, path(order, "waive_fees"), note="系统故障"))
    assert "late_fees" not in balances(strict)
    assert order.history.latest("seq").kind == "fees_waived"
    assert state_of(order) == "overdue"
    assert "没有未付的逾期费" in page_text(support.get(path(order, "waive_fees")))


def test_small_refunds_need_no_approval_large_ones_do(support: Client, supervisor: Client) -> None:
    shop = make_shop("大件", ceiling_minor=500_000)
    order = paid_order(shop, "3000")
    freeze_clock(NOON, order.person)
    for wrong in ("", "0", "-1", "1.234", "x"):
        with assert_unchanged(*PROPOSAL_TABLES[2:]):
            assert submit_form(support, path(order, "refund"), amount=wrong, note="x").status_code == 422
    look = support.post(path(order, "refund"), {"amount": "5", "note": "x", "step": "look", "token": "0" * 24})
    assert "发起退款" in page_text(look)
    assert not Refund.objects.exists()
    submit_form(support, path(order, "refund"), amount="5", note="坏了")
    assert Refund.objects.get().state == "succeeded"
    with assert_unchanged(*PROPOSAL_TABLES):
        row = propose_on_page(support, path(order, "refund"), amount="1000.00", note="全坏")
    assert "1000.00" in page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    decide_on_page(supervisor, row)
    made = Refund.objects.latest("pk")
    assert (made.state, made.amount_minor) == ("succeeded", 100_000)
    assert bank_debits_of(order.person) == [yuan("3000")]
    assert reload_order(order.id).refunded_minor == 100_500
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert submit_form(support, path(order, "refund"), amount="9000", note="x").status_code == 422


def test_recording_an_unknown_result_needs_approval_after_three_days(
    power_bank: Shop, supervisor: Client, console_client: Callable[..., Client]
) -> None:
    finance = console_client("finance")
    order = make_due_order(power_bank, make_person(power_bank, "timeout_then_not_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    made = latest_deduction_of(order)
    freeze_clock(NOON + timedelta(days=1), order.person)
    assert "满三天" in page_text(finance.get(path(made, "resolve")))
    freeze_clock(NOON + timedelta(days=4), order.person)
    evidence = {"outcome": "not_taken", "txn": "", "evidence": "银行函 2026-11-24 第 7 号", "note": "银行已答复"}
    for wrong in ({"outcome": ""}, {"evidence": " "}, {"txn": "T1"}, {"outcome": "taken"}):
        with assert_unchanged(*PROPOSAL_TABLES[2:]):
            assert submit_form(finance, path(made, "resolve"), **(evidence | wrong)).status_code == 422, wrong
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        resolve_unknown(made.id, txn="", evidence="x", by=Actor.staff(made.id), at=NOON + timedelta(days=4))
    row = propose_on_page(finance, path(made, "resolve"), **evidence)
    assert "银行函 2026-11-24 第 7 号" in page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    decide_on_page(supervisor, row)
    made = latest_deduction_of(order)
    assert (made.state, made.failure_code) == ("failed", "not_taken")
    said = made.history.get(kind="said_by_colleagues")
    assert (said.data["evidence"], "+" in said.by) == (evidence["evidence"], True)
    assert made.reports.latest("pk").source == "colleagues"
    assert obligation_of(order).in_flight is None
    assert finance.get(path(made, "resolve")).status_code == 404


def test_a_recorded_success_is_booked_with_the_channel_transaction(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "timeout_then_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    made = latest_deduction_of(order)
    at = NOON + timedelta(days=4)
    other = latest_deduction_of(paid_order(power_bank))
    with pytest.raises(TransactionUsed):
        resolve_unknown(made.id, txn=str(other.channel_txn), evidence="x", by=BY, at=at)
    done = resolve_unknown(made.id, txn=channel_txn_of(made), evidence="对账单", by=BY, at=at)
    assert (done.state, state_of(order)) == ("succeeded", "deducted")


def test_changing_a_limit_needs_approval(power_bank: Shop, risk: Client, supervisor: Client) -> None:
    person = make_due_order(power_bank, make_person(power_bank), yuan("5")).person
    assert "目前额度" in page_text(risk.get(path(person, "change_limit")))
    for wrong in ("", "x", "-1"):
        with assert_unchanged(*PROPOSAL_TABLES[2:]):
            assert submit_form(risk, path(person, "change_limit"), limit=wrong, note="x").status_code == 422
    row = propose_on_page(risk, path(person, "change_limit"), limit="88.00", note="收入下降")
    page = page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    assert "88.00" in page
    assert "有改动" in page
    decide_on_page(supervisor, row)
    person.profile.refresh_from_db()
    change = LimitChange.objects.get()
    assert (person.profile.limit_minor, change.limit_minor, change.reason) == (8800, 8800, "收入下降")
    assert "+" in change.by
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert submit_form(risk, path(person, "change_limit"), limit="999999999", note="x").status_code == 422


def test_changing_roles_needs_approval(supervisor: Client) -> None:
    new = staff("viewer", name="wang")
    other = staff("supervisor", name="zhao")
    row = propose_on_page(supervisor, path(new, "change_roles"), roles=["finance", "risk"], note="转岗")
    zhao = signed_in_client(other)
    page = page_text(zhao.get(f"/ops/second/{row.public_id}"))
    assert "财务、风控" in page
    assert "只读" in page
    decide_on_page(zhao, row)
    assert sorted(new.groups.values_list("name", flat=True)) == ["finance", "risk"]
    event = AccountEvent.objects.get(kind="roles_changed")
    assert event.data == {"before": ["viewer"], "after": ["finance", "risk"], "note": "转岗"}
    about_zhao = propose_on_page(supervisor, path(other, "change_roles"), roles=["viewer"], note="x")
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert decide_on_page(zhao, about_zhao).status_code == 422
    person = accounts.register_person("+8613812345678", realm_id=1, by=BY, at=NOON)
    assert supervisor.get(path(person.user or person, "change_roles")).status_code == 404
    assert submit_form(supervisor, path(new, "change_roles"), roles=["king"], note="x").status_code == 422


def test_the_last_supervisor_stays(supervisor: Client) -> None:
    me = User.objects.get(username="supervisor")
    root = User.objects.create_superuser("root", "correct horse battery")
    page = submit_form(signed_in_client(root), path(me, "change_roles"), roles=["viewer"], note="x")
    assert page.status_code == 422
    assert "至少须保留一位主管" in page_text(page)
    by = Actor.staff(root.pk)
    row = proposals.propose("change_roles", me.public_id, {"roles": ["viewer"]}, "x", by=by, at=live_now())
    assert decide_on_page(signed_in_client(root), row).status_code == 422
    second = User.objects.create_superuser("root2", "correct horse battery")
    page = decide_on_page(signed_in_client(second), row)
    assert page.status_code == 422
    assert "至少须保留一位主管" in page_text(page)


def test_a_policy_proposal_shows_old_and_new_terms(risk: Client, supervisor: Client) -> None:
    publish_page(risk)
    page = supervisor.get(f"/ops/second/{Proposal.objects.get().public_id}")
    assert "10, 15" in page_text(page)
    assert page.content.decode().count('class="changed"') == 3  # the days, the hour, the calendar
    assert "笔下次扣款中" in page_text(page)


def test_what_one_colleague_does_to_an_order_alone(power_bank: Shop, support: Client) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("12.34"), due_at=NOON + timedelta(days=3))
    freeze_clock(NOON, order.person)
    day = support.get(path(order, "move_date")).content.decode().partition('<option value="')[2].partition('"')[0]
    submit_form(support, path(order, "move_date"), to=day, note="发薪日")
    assert obligation_of(order).moved_at is not None
    assert order.history.latest("seq").data["note"] == "发薪日"
    assert "不能再改" in page_text(support.get(path(order, "move_date")))
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert submit_form(support, path(order, "lower_total"), total="99", note="x").status_code == 422
    submit_form(support, path(order, "lower_total"), total="10", note="多收")
    assert reload_order(order.id).total_minor == 1000
    future = {"reference": "R1", "paid_at": "2036-01-01T00:00", "note": "x"}
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert submit_form(support, path(order, "mark_paid"), **future).status_code == 422
    submit_form(support, path(order, "mark_paid"), reference="R1", paid_at="2026-11-20T12:00", note="现金")
    assert state_of(order) == "deducted"
    assert "没有欠款" in page_text(support.get(path(order, "mark_paid")))
    assert "订单已经结束" in page_text(support.get(path(order, "cancel")))


def test_cancelling_an_order_previews_its_postings(power_bank: Shop, support: Client) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("12.34"), due_at=NOON + timedelta(days=3))
    freeze_clock(NOON, order.person)
    with assert_unchanged("django_session"):
        page = page_text(support.get(path(order, "cancel")))
    assert "订单取消" in page
    before = Posting.objects.count()
    submit_form(support, path(order, "cancel"), note="商户要求")
    assert (state_of(order), Posting.objects.count() > before) == ("cancelled", True)
    assert Order.objects.get(pk=order.pk).cancel_reason == "商户要求"
