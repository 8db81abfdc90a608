"""Limits by score are a policy: looked at on real orders and people before, published by two, from a day on."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import localtime

from credit import limit_policy
from credit.console import APPROVAL_TYPES, POLICY
from credit.models import Decision, LimitPolicy, Profile
from credit.queries import limit_terms_at
from credit.rules import Facts, assess
from kernel.actor import Actor
from kernel.clock import live_now
from orders import services as orders
from tests.browsing import client_for, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged

PAGE = "/ops/limits/"
TWO = Actor("staff", "usr_" + "a" * 32 + "+usr_" + "b" * 32)


def form(**changed: str) -> dict[str, Any]:
    """The form as the first version fills it in."""
    first = POLICY.terms_to_fields(LimitPolicy.objects.get(version=1).terms)
    return {**{name: str(value) for name, value in first.items()}, "raises": "on", "note": "季度复盘", **changed}


def looked_at(client: Client, **changed: str) -> str:
    return page_text(client.post(PAGE, {**form(**changed), "step": "look", "token": "0" * 24}))


def test_what_it_would_change_is_counted_on_real_orders_and_people(
    power_bank: Shop, risk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_policy, "LIVE", power_bank.realm_id)
    people = [make_person(power_bank) for _ in range(3)]
    agreements = [make_agreement(power_bank, person) for person in people]
    for agreement in agreements:
        make_order(power_bank, agreement)
    Profile.objects.filter(pk=people[0].id).update(score=650)
    Profile.objects.filter(pk=people[1].id).update(limit_minor=1, held_minor=9_900)
    wish = orders.OrderRequest(
        agreement_id=agreements[1].id, out_order_no="x", title="x", currency="CNY", ceiling=9_900
    )
    assert orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON).order is None
    with assert_unchanged():
        said = looked_at(risk)
    assert "最近 4 笔下单中：原先通过的会有 0 笔被拒，原先被拒的会有 0 笔通过" in said
    assert "所查 3 位用户中：下次复评时 1 位额度上调，1 位下调，其中 0 位" in said
    said = looked_at(risk, A="50", B="50", C="50", open_orders_max="1")
    assert "原先通过的会有 3 笔被拒，原先被拒的会有 0 笔通过" in said
    assert "1 位额度上调，2 位下调，其中 2 位已用额度超过新额度" in said


def test_decisions_are_judged_again_from_what_is_kept_of_them(power_bank: Shop) -> None:
    make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    for row in Decision.objects.all():
        assert assess(Facts(**row.inputs)).approved == row.approved
        assert row.policy == "2026-11.1"
        older = {name: value for name, value in row.inputs.items() if name != "open_orders_max"}
        assert assess(Facts(**older)).approved == row.approved, "as decisions from before there was a policy stand"


def test_two_publish_what_counts_from_a_day_on(supervisor: Client, risk: Client) -> None:
    day = localtime(live_now() + timedelta(days=3)).replace(second=0, microsecond=0)
    wish = form(B="6000", open_orders_max="10", effective_from=f"{day:%Y-%m-%dT%H:%M}")
    with assert_unchanged(*PROPOSAL_TABLES):
        row = propose_on_page(risk, PAGE, **wish)
    page = page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    assert "B 段（600 分起）" in page
    assert "生效时间" in page
    decide_on_page(supervisor, row)
    made = LimitPolicy.objects.get(version=2)
    assert (made.terms["limits"]["B"], made.terms["open_orders_max"], "+" in made.by) == (600_000, 10, True)
    assert limit_terms_at(made.effective_from).limits["B"] == 600_000
    assert limit_terms_at(made.effective_from - timedelta(seconds=1)).limits["B"] == 500_000
    page = page_text(risk.get(PAGE))
    assert "当前为第 1 版" in page
    assert "2 待生效 以此为底稿" in page
    decide_on_page(supervisor, propose_on_page(risk, PAGE, **form(C="900")))
    page = page_text(risk.get(PAGE))
    assert "3 生效中" in page
    assert "2 生效前已被取代" in page


def test_a_reason_is_whatever_people_write(supervisor: Client, risk: Client) -> None:
    decide_on_page(supervisor, propose_on_page(risk, PAGE, **form(C="900", note="春节前下调 🧧 <b>额度</b>")))
    assert LimitPolicy.objects.get(version=2).reason == "春节前下调 🧧 <b>额度</b>"
    assert "<b>额度</b>" not in risk.get(PAGE).content.decode()
    assert "🧧 <b>额度</b>" in page_text(risk.get(PAGE))


def test_a_day_that_passes_while_a_second_one_is_awaited_is_at_once(db: None) -> None:
    """As its pages would do it a day later."""
    terms = LimitPolicy.objects.get(version=1).terms
    (matter,) = APPROVAL_TYPES
    wish = {**terms, "effective_from": "2020-01-01T00:00:00+00:00"}
    matter.run("limit_policy", wish, "晚批", TWO, NOON)
    made = LimitPolicy.objects.get(version=2)
    assert (made.effective_from, made.terms) == (NOON, terms)


@pytest.mark.parametrize(
    "wrong",
    [
        {"B": "999"},
        {"S": "100000.01"},
        {"D": "-1"},
        {"A": ""},
        {"A": "一万"},
        {"open_orders_max": "0"},
        {"open_orders_max": "1001"},
        {"review_days": "0"},
        {"review_days": "367"},
        {"note": " "},
        {"effective_from": "2020-01-01T00:00"},
        {"effective_from": "0001-01-01T00:00"},
        {"effective_from": "9999-12-31T23:59"},
        {"S": "１２"},
        {"S": "💴"},
        {"S": "9" * 100_000},
        {"note": "因" * 201},
        {"effective_from": "tomorrow"},
    ],
)
def test_what_no_policy_can_say_is_refused_at_its_field(risk: Client, wrong: dict[str, str]) -> None:
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        answer = submit_form(risk, PAGE, **form(**wrong))
    assert answer.status_code == 422
    assert f'id="id_{next(iter(wrong))}_error"' in answer.content.decode()


def test_a_person_sees_which_score_gives_which_limit_and_when_theirs_is_looked_at(power_bank: Shop) -> None:
    person = make_person(power_bank)
    make_agreement(power_bank, person)
    page = visible_text(client_for(person).get("/credit/"))
    assert "下次复评" in page
    assert "700 分起 · 您 ¥10,000.00" in page
    assert "额度变动" not in page
