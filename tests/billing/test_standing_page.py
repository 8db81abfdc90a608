"""Score and limit in plain words, every decision with its reasons, an objection; and the services that remain."""

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
from credit.rules import Known
from orders import services as orders
from orders.models import Concern
from tests.conftest import BY, NOON, Shop, completed, make_shop, opened, ordered, someone, yuan
from tests.falling import fall
from tests.stillness import nothing_moves
from tests.visiting import it_is, token_on, visiting, words

DAY = timedelta(days=1)
MARK = "kernel_idempotencykey"
KNOWN = Known(
    verified=True,
    kept=3,
    breached=1,
    overdue=0,
    days_since_breach=73,
    days_known=730,
    limit_minor=1000,
    used_minor=250,
)


def levels(known: Known) -> dict[str, int]:
    return {side.name: side.level for side in rules.dimensions(known)}


def test_the_sides_of_a_standing_are_what_is_stored() -> None:
    assert levels(KNOWN) == {"kept": 75, "calm": 20, "identity": 100, "use": 75, "time": 100}
    nothing = Known(
        verified=False,
        kept=0,
        breached=0,
        overdue=1,
        days_since_breach=None,
        days_known=0,
        limit_minor=0,
        used_minor=5,
    )
    assert levels(nothing) == dict.fromkeys(("kept", "calm", "identity", "use", "time"), 0)


@pytest.mark.parametrize(
    ("score", "gate", "promises"), [(600, 600, 0), (599, 600, 1), (598, 600, 1), (597, 600, 2), (900, 0, 0)]
)
def test_what_is_missing_is_said_in_promises(score: int, gate: int, promises: int) -> None:
    assert rules.missing_promises({"score": score, "score_min": gate}) == promises


def refused(shop: Shop, person: Person, ceiling: int = 9900) -> Decision:
    wish = orders.Wish(
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
    person = someone(power_bank, "no_funds")
    kept = ordered(power_bank, opened(power_bank, person, at=NOON - 9 * DAY), at=NOON - 9 * DAY, title="守约的")
    orders.complete_order(kept.id, orders.Final(total=600), by=BY, at=NOON - 9 * DAY)
    orders.mark_paid(kept.id, None, "till", by=BY, at=NOON - 9 * DAY)
    broken = ordered(power_bank, kept.agreement, at=NOON - 9 * DAY, title="逾期的 <b>")
    orders.complete_order(broken.id, orders.Final(total=600), by=BY, at=NOON - 9 * DAY)
    fall(power_bank.realm_id, at=NOON - 2 * DAY, limit=9)
    it_is(NOON, person)
    return person


def test_score_limit_and_what_moved_them_are_shown(power_bank: Shop, late: Person) -> None:
    page = visiting(late).get("/credit/")
    for shown in (
        "守约 1 次，逾期 1 次",
        "现有 1 笔逾期",
        "逾期的 <b> -40 → ",
        "守约的 +2 → ",
        "待付金额 ¥6.00",
        "有订单逾期",
    ):
        assert shown in words(page), shown
    assert b"<b>" not in page.content
    english = words(visiting(late, "en").get("/credit/"))
    assert "1 order is overdue now" in english
    assert "Paying on time: +2. Becoming overdue: -40" in english


def test_nobody_without_a_service_has_a_score(power_bank: Shop) -> None:
    person = accounts.register_person("+8613812341234", realm_id=power_bank.realm_id, by=BY, at=NOON)
    assert "您还没有信用分" in words(visiting(person).get("/credit/"))


def test_lists_go_on_by_the_page(power_bank: Shop, late: Person) -> None:
    for number in range(11):
        refused(power_bank, late, 100 + number)
    browser = visiting(late)
    page = browser.get("/credit/")
    assert "更早的评估" in words(page)
    cursor = page.content.decode().partition('href="?decisions=')[2].partition("#")[0]
    older = words(browser.get(f"/credit/?decisions={cursor}"))
    assert "守约 1 次" not in older
    assert "开通 来电充电宝" in older
    assert browser.get("/credit/?decisions=x").status_code == 422


def test_a_refusal_says_why_and_what_would_change_it_and_is_objected_to(power_bank: Shop, late: Person) -> None:
    decision, browser = refused(power_bank, late), visiting(late)
    path = f"/credit/{decision.public_id}"
    page = browser.get(path)
    assert "您有逾期未付的订单" in words(page)
    assert "申请金额 ¥99.00" in words(page)
    form = {"token": token_on(page), "text": "我付过了"}
    with nothing_moves(MARK):
        assert browser.post(path, form | {"text": " ", "token": "2" * 24}).status_code == 422
    answer = browser.post(path, form)
    concern = Concern.objects.get()
    assert answer["Location"] == f"/help/{concern.public_id}"
    assert browser.post(path, form)["Location"] == path
    assert "已对此评估提出异议" in words(browser.get(path))
    with nothing_moves(MARK):
        assert browser.post(path, form | {"token": "3" * 24}).status_code == 409
    orders.decide_objection(concern.id, "确有一笔逾期", again=True, by=BY, at=NOON)
    assert "确有一笔逾期" in words(browser.get(f"/help/{concern.public_id}"))
    assert "重新评估" in words(browser.get("/credit/"))


def test_the_limit_is_explained_by_what_is_missing(late: Person) -> None:
    shop = make_shop("大店", ceiling_minor=30_000_00)
    person = someone(shop)
    opened(shop, person)
    it_is(NOON, person)
    decision = refused(shop, person, 15_000_00)
    missing = (15_000_00 - person.profile.limit_minor) // 100
    assert f"可用额度还差 ¥{missing:,}.00" in words(visiting(person).get(f"/credit/{decision.public_id}"))
    stranger = visiting(late)
    with nothing_moves():
        answers = [stranger.get(f"/credit/{name}") for name in (decision.public_id, "dec_" + "0" * 32, "x")]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert len({answer.content for answer in answers}) == 1


def test_a_stopped_service_says_what_remains_and_is_opened_again(power_bank: Shop) -> None:
    owing = completed(power_bank, someone(power_bank), yuan("6"))
    ordered(power_bank, owing.agreement)
    it_is(NOON, owing.person)
    browser, path = visiting(owing.person), f"/services/{owing.agreement.public_id}"
    assert "进行中的订单 1 待付金额 ¥6.00" in words(browser.get("/services/"))
    browser.post(f"{path}/stop")
    assert "恢复 来电充电宝 的新订单" in words(browser.get("/services/"))
    for _click in range(2):
        assert browser.post(f"{path}/open")["Location"] == "/services/"
    assert owing.agreement.history.get(kind="reopened").by == f"person:{owing.person.public_id}"
    stranger: Client = visiting(someone(power_bank))
    with nothing_moves():
        assert stranger.post(f"{path}/open").status_code == 404
    deduct_due(power_bank.realm_id, at=NOON)
    orders.cancel_order(owing.agreement.orders.get(state="open").id, "x", by=BY, at=NOON)
    browser.post(f"{path}/stop")
    assert "扣款授权已终止" in words(browser.get("/services/"))
    assert browser.post(f"{path}/open").status_code == 409


@pytest.mark.breaks_the_house  # nobody set their limit so
def test_all_that_moved_a_limit_is_found_some_at_a_time(power_bank: Shop, ada: Person) -> None:
    opened(power_bank, ada)
    for n in range(12):
        LimitChange.objects.create(
            person=ada, currency="CNY", before_minor=n * 100, limit_minor=(n + 1) * 100, reason="x", by=str(BY), at=NOON
        )
    client, seen, address = visiting(ada), [], "/credit/"
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r"→ ¥(\d+)\.00</strong>", page)
        further = re.search(r'href="(\?limits=[^"#]+)', page)
        address = f"/credit/{further[1]}" if further else ""
    assert seen == [str(n) for n in range(12, 0, -1)]


@pytest.mark.parametrize(("parts", "says"), [(1, "1 instalment, due in 30 days"), (3, "3 instalments, 30 days apart")])
def test_one_part_is_no_parts(parts: int, says: str) -> None:
    plan = {"plan": {"parts": parts, "every_days": 30}}
    with translation.override("en"):
        assert render_to_string("orders/parts.html", plan) == says
