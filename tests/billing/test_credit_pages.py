"""Credit pages: score, limit, decisions and objections; and the list of opened services."""

import re
from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils import translation

from accounts import services as accounts
from accounts.models import Person
from billing.services.deduct import deduct_due
from credit import rules
from credit.models import Decision, LimitChange
from credit.rules import CreditRecord
from orders import services as orders
from orders.models import Concern
from tests.browsing import client_for, form_token, freeze_clock, visible_text
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    make_shop,
    yuan,
)
from tests.overdue import make_overdue
from tests.unchanged import assert_unchanged

DAY = timedelta(days=1)
MARK = "kernel_idempotencykey"
KNOWN = CreditRecord(
    verified=True,
    kept=3,
    breached=1,
    overdue=0,
    days_since_overdue=73,
    days_known=730,
    limit_minor=1000,
    used_minor=250,
)


def levels(known: CreditRecord) -> dict[str, int]:
    return {side.name: side.level for side in rules.dimensions(known)}


def test_the_dimensions_of_a_score() -> None:
    assert levels(KNOWN) == {"kept": 75, "calm": 20, "identity": 100, "use": 75, "time": 100}
    nothing = CreditRecord(
        verified=False,
        kept=0,
        breached=0,
        overdue=1,
        days_since_overdue=None,
        days_known=0,
        limit_minor=0,
        used_minor=5,
    )
    assert levels(nothing) == dict.fromkeys(("kept", "calm", "identity", "use", "time"), 0)


@pytest.mark.parametrize(
    ("score", "gate", "promises"), [(600, 600, 0), (599, 600, 1), (598, 600, 1), (597, 600, 2), (900, 0, 0)]
)
def test_missing_points_are_shown_as_promises_to_keep(score: int, gate: int, promises: int) -> None:
    assert rules.missing_promises({"score": score, "score_min": gate}) == promises


def refused(shop: Shop, person: Person, ceiling: int = 9900) -> Decision:
    wish = orders.OrderRequest(
        agreement_id=person.agreements.latest("id").id,
        out_order_no=f"R{ceiling}",
        title="x",
        currency="CNY",
        ceiling=ceiling,
    )
    opening = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON)
    assert opening.order is None
    return opening.decision


@pytest.fixture
def late(power_bank: Shop) -> Person:
    """Somebody who kept one promise and broke another."""
    person = make_person(power_bank, "no_funds")
    kept = make_order(
        power_bank, make_agreement(power_bank, person, at=NOON - 9 * DAY), at=NOON - 9 * DAY, title="守约的"
    )
    orders.complete_order(kept.id, orders.CompletionRequest(total=600), by=BY, at=NOON - 9 * DAY)
    orders.mark_paid(kept.id, None, "till", by=BY, at=NOON - 9 * DAY)
    broken = make_order(power_bank, kept.agreement, at=NOON - 9 * DAY, title="逾期的 <b>")
    orders.complete_order(broken.id, orders.CompletionRequest(total=600), by=BY, at=NOON - 9 * DAY)
    make_overdue(power_bank.realm_id, at=NOON - 2 * DAY, limit=9)
    freeze_clock(NOON, person)
    return person


def test_score_and_limit_are_shown_with_their_changes(power_bank: Shop, late: Person) -> None:
    page = client_for(late).get("/credit/")
    for shown in (
        "守约 1 次，逾期 1 次",
        "现有 1 笔逾期",
        "逾期的 <b> -40 → ",
        "守约的 +2 → ",
        "待付金额 ¥6.00",
        "有订单逾期",
    ):
        assert shown in visible_text(page), shown
    assert b"<b>" not in page.content
    english = visible_text(client_for(late, "en").get("/credit/"))
    assert "1 order is overdue now" in english
    assert "Paying on time: +2. Becoming overdue: -40" in english


def test_a_person_without_a_service_has_no_score(power_bank: Shop) -> None:
    person = accounts.register_person("+8613812341234", realm_id=power_bank.realm_id, by=BY, at=NOON)
    assert "您还没有信用分" in visible_text(client_for(person).get("/credit/"))


def test_lists_are_paginated(power_bank: Shop, late: Person) -> None:
    for number in range(11):
        refused(power_bank, late, 100 + number)
    browser = client_for(late)
    page = browser.get("/credit/")
    assert "更早的评估" in visible_text(page)
    cursor = page.content.decode().partition('href="?decisions=')[2].partition("#")[0]
    older = visible_text(browser.get(f"/credit/?decisions={cursor}"))
    assert "守约 1 次" not in older
    assert "开通 来电充电宝" in older
    assert browser.get("/credit/?decisions=x").status_code == 422


def test_a_refusal_shows_its_reasons_and_can_be_objected_to(power_bank: Shop, late: Person) -> None:
    decision, browser = refused(power_bank, late), client_for(late)
    path = f"/credit/{decision.public_id}"
    page = browser.get(path)
    assert "您有逾期未付的订单" in visible_text(page)
    assert "申请金额 ¥99.00" in visible_text(page)
    form = {"token": form_token(page), "text": "我付过了"}
    with assert_unchanged(MARK):
        assert browser.post(path, form | {"text": " ", "token": "2" * 24}).status_code == 422
    answer = browser.post(path, form)
    concern = Concern.objects.get()
    assert answer["Location"] == f"/help/{concern.public_id}"
    assert browser.post(path, form)["Location"] == path
    assert "已对此评估提出异议" in visible_text(browser.get(path))
    with assert_unchanged(MARK):
        assert browser.post(path, form | {"token": "3" * 24}).status_code == 409
    orders.decide_objection(concern.id, "确有一笔逾期", reassess=True, by=BY, at=NOON)
    assert "确有一笔逾期" in visible_text(browser.get(f"/help/{concern.public_id}"))
    assert "重新评估" in visible_text(browser.get("/credit/"))


def test_a_limit_refusal_shows_the_missing_amount(late: Person) -> None:
    shop = make_shop("大店", ceiling_minor=30_000_00)
    person = make_person(shop)
    make_agreement(shop, person)
    freeze_clock(NOON, person)
    decision = refused(shop, person, 15_000_00)
    missing = (15_000_00 - person.profile.limit_minor) // 100
    assert f"可用额度还差 ¥{missing:,}.00" in visible_text(client_for(person).get(f"/credit/{decision.public_id}"))
    stranger = client_for(late)
    with assert_unchanged():
        answers = [stranger.get(f"/credit/{name}") for name in (decision.public_id, "dec_" + "0" * 32, "x")]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert len({answer.content for answer in answers}) == 1


def test_a_stopped_service_shows_its_open_orders_and_is_reopened(power_bank: Shop) -> None:
    owing = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    make_order(power_bank, owing.agreement)
    freeze_clock(NOON, owing.person)
    browser, path = client_for(owing.person), f"/services/{owing.agreement.public_id}"
    assert "进行中的订单 1 待付金额 ¥6.00" in visible_text(browser.get("/services/"))
    browser.post(f"{path}/stop")
    assert "恢复 来电充电宝 的新订单" in visible_text(browser.get("/services/"))
    for _click in range(2):
        assert browser.post(f"{path}/open")["Location"] == "/services/"
    assert owing.agreement.history.get(kind="reopened").by == f"person:{owing.person.public_id}"
    stranger: Client = client_for(make_person(power_bank))
    with assert_unchanged():
        assert stranger.post(f"{path}/open").status_code == 404
    deduct_due(power_bank.realm_id, at=NOON)
    orders.cancel_order(owing.agreement.orders.get(state="open").id, "x", by=BY, at=NOON)
    browser.post(f"{path}/stop")
    assert "扣款授权已终止" in visible_text(browser.get("/services/"))
    assert browser.post(f"{path}/open").status_code == 409


@pytest.mark.breaks_invariants  # nobody set their limit so
def test_limit_changes_are_paginated(power_bank: Shop, ada: Person) -> None:
    make_agreement(power_bank, ada)
    for n in range(12):
        LimitChange.objects.create(
            person=ada, currency="CNY", before_minor=n * 100, limit_minor=(n + 1) * 100, reason="x", by=str(BY), at=NOON
        )
    client, seen, address = client_for(ada), [], "/credit/"
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r"→ ¥(\d+)\.00</strong>", page)
        further = re.search(r'href="(\?limits=[^"#]+)', page)
        address = f"/credit/{further[1]}" if further else ""
    assert seen == [str(n) for n in range(12, 0, -1)]


@pytest.mark.parametrize(("parts", "says"), [(1, "1 instalment, due in 30 days"), (3, "3 instalments, 30 days apart")])
def test_a_plan_of_one_instalment_is_singular(parts: int, says: str) -> None:
    plan = {"plan": {"parts": parts, "every_days": 30}}
    with translation.override("en"):
        assert render_to_string("orders/parts.html", plan) == says
