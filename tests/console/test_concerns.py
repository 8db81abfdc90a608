"""Customer requests in the console: answered, decided, and visible to the merchant."""

from collections.abc import Callable

import pytest
from django.test import Client

from billing.services.deduct import deduct_due
from kernel.clock import live_now
from kernel.console_actions import ROW_ACTIONS
from kernel.policy_versions import publish_version
from kernel.refusal import Busy
from office.console import concern_list
from orders import queries
from orders import services as orders
from orders.models import Concern, EasePolicy, Order
from tests.browsing import form_token, freeze_clock, signed_in_client
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    reload_order,
    state_of,
    yuan,
)
from tests.console.conftest import page_text, staff, submit_form
from tests.office.approval_helpers import decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged

BAD = "<script>alert(1)</script>"
LOOKED = ("kernel_idempotencykey", "django_session")


@pytest.fixture
def order(power_bank: Shop) -> Order:
    order = make_due_order(power_bank, make_person(power_bank), yuan("12.34"))
    freeze_clock(NOON, order.person)
    return order


def reported(order: Order) -> Concern:
    return orders.report_problem(order.id, "wrong_amount", f"多收了 {BAD}", by=BY, at=NOON)


def at(concern: Concern, verb: str) -> str:
    return f"/ops/do/{concern.public_id}/{verb}"


def test_a_report_is_read_answered_and_decided(order: Order, supervisor: Client) -> None:
    concern = reported(order)
    assert "问题反馈 · 充电宝 等我们处理" in page_text(supervisor.get("/ops/help/?mode=test"))
    page = supervisor.get(f"/ops/help/{concern.public_id}")
    assert BAD.encode() not in page.content
    for shown in ("因此暂停计时", "答复并保持处理中", "调低总额", "结束：订单不变", "取消订单"):
        assert shown in page_text(page), shown
    assert "同意分期" not in page_text(page)
    answer = submit_form(supervisor, at(concern, "answer"), note="请问几点归还？")
    assert answer["Location"] == f"/ops/help/{concern.public_id}"
    assert "等用户回复" in page_text(supervisor.get("/ops/help/?mode=test"))
    assert submit_form(supervisor, at(concern, "lower"), note="多收", total="abc").status_code == 422
    assert submit_form(supervisor, at(concern, "lower"), note="多收", total="99").status_code == 422
    submit_form(supervisor, at(concern, "lower"), note="多收了，已减", total="5")
    assert reload_order(order.id).total_minor == 500
    assert "多收了，已减" in page_text(supervisor.get(f"/ops/help/{concern.public_id}"))
    assert "没有待处理的求助" in page_text(supervisor.get("/ops/help/?mode=test"))
    with assert_unchanged(*LOOKED):
        assert "已结束" in page_text(supervisor.get(at(concern, "call_off")))


@pytest.mark.parametrize(("verb", "state"), [("close", "completed"), ("call_off", "cancelled")])
def test_a_report_is_closed_or_its_order_cancelled(order: Order, supervisor: Client, verb: str, state: str) -> None:
    concern = reported(order)
    form = {"token": form_token(supervisor.get(at(concern, verb))), "note": "查过了"}
    assert [supervisor.post(at(concern, verb), form).status_code for _click in range(2)] == [302, 302]
    assert state_of(order) == state
    assert not order.pauses.filter(ended_at__isnull=True).exists()


def test_a_plan_request_is_granted_or_refused(order: Order, supervisor: Client) -> None:
    offer = orders.PlanOffer(12, 30)
    asked = orders.request_plan(order.person_id, order.id, offer, "失业了", by=BY, at=NOON)
    page = supervisor.get(at(asked, "grant"))
    assert b'value="12"' in page.content
    assert "¥12.34 分期付款" in page_text(page)
    assert submit_form(supervisor, at(asked, "grant"), note="同意", parts="25", every_days="30").status_code == 422
    submit_form(supervisor, at(asked, "grant"), note="同意", parts="12", every_days="30")
    assert order.obligations.count() == 12
    again = orders.request_plan(order.person_id, None, offer, "还是难", by=BY, at=NOON)
    submit_form(supervisor, at(again, "refuse"), note="先按这个还")
    assert Concern.objects.get(pk=again.id).outcome == "refused"
    assert "此前的求助" in page_text(supervisor.get(f"/ops/help/{again.public_id}"))


@pytest.mark.parametrize(("verb", "says"), [("uphold", "upheld"), ("judge_again", "reassessed")])
def test_an_objection_is_decided(power_bank: Shop, supervisor: Client, verb: str, says: str) -> None:
    person = make_person(power_bank)
    agreement = make_agreement(power_bank, person)
    make_order(power_bank, agreement)
    person.profile.frozen_at = NOON
    person.profile.save(update_fields=["frozen_at"])
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no="n", title="x", currency="CNY", ceiling=100)
    refused = orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON).decision
    concern = orders.object_to_decision(refused.id, person.id, "为什么冻结", by=BY, at=NOON)
    submit_form(supervisor, at(concern, verb), note="核实身份后解冻", points="4")
    assert Concern.objects.get().outcome == says


def test_viewers_may_not_decide(order: Order, console_client: Callable[..., Client]) -> None:
    concern = reported(order)
    viewer, risk = console_client("viewer"), console_client("risk")
    assert "多收了" in page_text(viewer.get(f"/ops/help/{concern.public_id}"))
    assert "调低总额" not in page_text(viewer.get(f"/ops/help/{concern.public_id}"))
    for verb in ("answer", "close", "lower", "call_off"):
        assert viewer.get(at(concern, verb)).status_code == 403
        assert risk.get(at(concern, verb)).status_code == 403
    assert console_client("supervisor").get(at(concern, "grant")).status_code == 404
    assert viewer.get("/ops/help/con_" + "0" * 32).status_code == 404


def test_a_report_about_a_paid_order_offers_a_refund_and_nothing_that_must_fail(
    power_bank: Shop, supervisor: Client, console_client: Callable[..., Client]
) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("8"))
    freeze_clock(NOON, order.person)
    deduct_due(power_bank.realm_id, at=NOON)
    concern = reported(reload_order(order.id))
    page = supervisor.get(f"/ops/help/{concern.public_id}")
    assert f'href="/ops/do/{order.public_id}/refund"' in page.content.decode()
    for missing in ("调低总额", "取消订单"):
        assert missing not in page_text(page), missing
    assert "用户 ·" in page_text(page)
    assert (
        f"{order.public_id}/refund"
        not in console_client("viewer").get(f"/ops/help/{concern.public_id}").content.decode()
    )


def test_the_list_shows_one_environment_and_is_paged(
    order: Order, supervisor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(order)
    live, test = (page_text(supervisor.get(f"/ops/help/?mode={mode}")) for mode in ("live", "test"))
    assert ("问题反馈" in live, "问题反馈" in test) == (False, True)
    assert "等待始于" in test
    monkeypatch.setattr(concern_list, "ROWS_A_PAGE", 0)
    assert "下一页" in page_text(supervisor.get("/ops/help/?mode=test"))
    assert supervisor.get("/ops/help/?mode=test&page=x").status_code == 404


def test_every_action_applies_to_one_kind_or_all() -> None:
    kinds = [Concern(kind=kind) for kind in Concern.Kind.values]
    for verb in ROW_ACTIONS:
        if verb.model is Concern:
            assert sum(verb.applies_to(row) for row in kinds) in (1, 3), verb.name


def test_the_hardship_policy_is_published_by_two_supervisors(order: Order, supervisor: Client) -> None:
    assert "当前为第 1 版" in page_text(supervisor.get("/ops/ease/"))
    terms = {"parts": "3 2", "every_days": "7", "days_max": 30, "part_min_minor": "1", "apart_days": 0, "note": "试行"}
    for wrong in ({"parts": "x"}, {"parts": "1"}, {"every_days": ""}, {"days_max": "9999"}, {"note": " "}):
        with assert_unchanged(*LOOKED):
            assert submit_form(supervisor, "/ops/ease/", **(terms | wrong)).status_code == 422, wrong
    row = propose_on_page(supervisor, "/ops/ease/", **terms)
    assert not EasePolicy.objects.filter(version=2).exists()
    decide_on_page(signed_in_client(staff("supervisor", name="zhao")), row)
    made = EasePolicy.objects.get(version=2)
    assert (made.terms["parts"], made.reason) == ([2, 3], "试行")
    offers = queries.plan_options_for(order.person_id, None, at=live_now()).offers
    assert offers == [orders.PlanOffer(2, 7), orders.PlanOffer(3, 7)]
    page = supervisor.get("/ops/ease/?version=1")
    assert f'value="{EasePolicy.objects.get(version=1).terms["days_max"]}"' in page.content.decode()
    assert "以此为底稿" in page_text(page)
    assert "重新发布" in page_text(supervisor.get("/ops/ease/"))
    with assert_unchanged(), pytest.raises(Busy):
        publish_version(EasePolicy, made.terms, "x", after=1, by=BY, at=NOON)


def test_only_supervisors_publish_the_hardship_policy(console_client: Callable[..., Client]) -> None:
    assert console_client("collections").get("/ops/ease/").status_code == 403
