"""What people ask help with comes to a desk: read there, answered, decided; and the merchant reads along."""

from collections.abc import Callable

import pytest
from django.test import Client

from kernel.clock import live_now
from kernel.console_actions import VERBS
from kernel.refusal import Busy
from kernel.versions import publish_version
from orders import queries
from orders import services as orders
from orders.models import Concern, EasePolicy, Order
from tests.conftest import BY, NOON, Shop, completed, fresh, opened, ordered, someone, state_of, yuan
from tests.console.conftest import does, staff, words_of
from tests.office.seconds import asked, decided
from tests.stillness import nothing_moves
from tests.visiting import it_is, signed_in, token_on

BAD = "<script>alert(1)</script>"
LOOKED = ("kernel_idempotencykey", "django_session")


@pytest.fixture
def order(power_bank: Shop) -> Order:
    order = completed(power_bank, someone(power_bank), yuan("12.34"))
    it_is(NOON, order.person)
    return order


def reported(order: Order) -> Concern:
    return orders.report_problem(order.id, "wrong_amount", f"多收了 {BAD}", by=BY, at=NOON)


def at(concern: Concern, verb: str) -> str:
    return f"/ops/do/{concern.public_id}/{verb}"


def test_a_report_is_read_answered_and_decided(order: Order, boss: Client) -> None:
    concern = reported(order)
    assert "问题反馈 · 充电宝 等我们处理" in words_of(boss.get("/ops/help/"))
    page = boss.get(f"/ops/help/{concern.public_id}")
    assert BAD.encode() not in page.content
    for shown in ("因此暂停计时", "答复并保持处理中", "调低总额", "结束：订单不变", "取消订单"):
        assert shown in words_of(page), shown
    assert "同意分期" not in words_of(page)
    answer = does(boss, at(concern, "answer"), note="请问几点归还？")
    assert answer["Location"] == f"/ops/help/{concern.public_id}"
    assert "等用户回复" in words_of(boss.get("/ops/help/"))
    assert does(boss, at(concern, "lower"), note="多收", total="abc").status_code == 422
    assert does(boss, at(concern, "lower"), note="多收", total="99").status_code == 422
    does(boss, at(concern, "lower"), note="多收了，已减", total="5")
    assert fresh(order.id).total_minor == 500
    assert "多收了，已减" in words_of(boss.get(f"/ops/help/{concern.public_id}"))
    assert "没有待处理的求助" in words_of(boss.get("/ops/help/"))
    with nothing_moves(*LOOKED):
        assert "已结束" in words_of(boss.get(at(concern, "call_off")))


@pytest.mark.parametrize(("verb", "state"), [("close", "completed"), ("call_off", "cancelled")])
def test_a_report_ends_with_the_order_as_it_is_or_called_off(order: Order, boss: Client, verb: str, state: str) -> None:
    concern = reported(order)
    form = {"token": token_on(boss.get(at(concern, verb))), "note": "查过了"}
    assert [boss.post(at(concern, verb), form).status_code for _click in range(2)] == [302, 302]
    assert state_of(order) == state
    assert not order.pauses.filter(ended_at__isnull=True).exists()


def test_a_plan_beyond_the_policy_is_granted_or_refused(order: Order, boss: Client) -> None:
    offer = orders.Offer(12, 30)
    asked = orders.ask_for_help(order.person_id, order.id, offer, "失业了", by=BY, at=NOON)
    page = boss.get(at(asked, "grant"))
    assert b'value="12"' in page.content
    assert "¥12.34 分期付款" in words_of(page)
    assert does(boss, at(asked, "grant"), note="同意", parts="25", every_days="30").status_code == 422
    does(boss, at(asked, "grant"), note="同意", parts="12", every_days="30")
    assert order.obligations.count() == 12
    again = orders.ask_for_help(order.person_id, None, offer, "还是难", by=BY, at=NOON)
    does(boss, at(again, "refuse"), note="先按这个还")
    assert Concern.objects.get(pk=again.id).outcome == "refused"
    assert "此前的求助" in words_of(boss.get(f"/ops/help/{again.public_id}"))


@pytest.mark.parametrize(("verb", "says"), [("uphold", "upheld"), ("judge_again", "reassessed")])
def test_an_objection_is_answered(power_bank: Shop, boss: Client, verb: str, says: str) -> None:
    person = someone(power_bank)
    agreement = opened(power_bank, person)
    ordered(power_bank, agreement)
    person.profile.frozen_at = NOON
    person.profile.save(update_fields=["frozen_at"])
    wish = orders.Wish(agreement_id=agreement.id, out_order_no="n", title="x", currency="CNY", ceiling=100)
    refused = orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON).decision
    concern = orders.object_to(refused.id, person.id, "为什么冻结", by=BY, at=NOON)
    does(boss, at(concern, verb), note="核实身份后解冻", points="4")
    assert Concern.objects.get().outcome == says


def test_whoever_may_look_may_not_decide(order: Order, at_desk: Callable[..., Client]) -> None:
    concern = reported(order)
    viewer, risk = at_desk("viewer"), at_desk("risk")
    assert "多收了" in words_of(viewer.get(f"/ops/help/{concern.public_id}"))
    assert "调低总额" not in words_of(viewer.get(f"/ops/help/{concern.public_id}"))
    for verb in ("answer", "close", "lower", "call_off"):
        assert viewer.get(at(concern, verb)).status_code == 403
        assert risk.get(at(concern, verb)).status_code == 403
    assert at_desk("supervisor").get(at(concern, "grant")).status_code == 404
    assert viewer.get("/ops/help/con_" + "0" * 32).status_code == 404


def test_every_verb_of_help_fits_one_kind_or_all() -> None:
    kinds = [Concern(kind=kind) for kind in Concern.Kind.values]
    for verb in VERBS:
        if verb.model is Concern:
            assert sum(verb.fits(row) for row in kinds) in (1, 3), verb.name


def test_two_supervisors_publish_which_plans_are_granted_at_once(order: Order, boss: Client) -> None:
    assert "当前为第 1 版" in words_of(boss.get("/ops/ease/"))
    terms = {"parts": "3 2", "every_days": "7", "days_max": 30, "part_min_minor": "1", "apart_days": 0, "note": "试行"}
    for wrong in ({"parts": "x"}, {"parts": "1"}, {"every_days": ""}, {"days_max": "9999"}, {"note": " "}):
        with nothing_moves(*LOOKED):
            assert does(boss, "/ops/ease/", **(terms | wrong)).status_code == 422, wrong
    row = asked(boss, "/ops/ease/", **terms)
    assert not EasePolicy.objects.filter(version=2).exists()
    decided(signed_in(staff("supervisor", name="zhao")), row)
    made = EasePolicy.objects.get(version=2)
    assert (made.terms["parts"], made.reason) == ([2, 3], "试行")
    offers = queries.easing_of(order.person_id, None, at=live_now()).offers
    assert offers == [orders.Offer(2, 7), orders.Offer(3, 7)]
    page = boss.get("/ops/ease/?version=1")
    assert f'value="{EasePolicy.objects.get(version=1).terms["days_max"]}"' in page.content.decode()
    assert "以此为底稿" in words_of(page)
    assert "重新发布" in words_of(boss.get("/ops/ease/"))
    with nothing_moves(), pytest.raises(Busy):
        publish_version(EasePolicy, made.terms, "x", after=1, by=BY, at=NOON)


def test_nobody_else_publishes_one(at_desk: Callable[..., Client]) -> None:
    assert at_desk("collections").get("/ops/ease/").status_code == 403
