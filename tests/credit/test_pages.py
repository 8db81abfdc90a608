"""The page of opened services, and pages that explain a refusal."""

import pytest
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils import translation

from accounts.models import Person
from credit import services as credit
from credit.models import Agreement, Decision
from credit.rules import Reason
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person


def state_of(agreement: Agreement) -> str:
    return str(Agreement.objects.values_list("state", flat=True).get(pk=agreement.pk))


def test_nothing_opened_yet_is_said_in_words(ada: Person) -> None:
    assert "您还没有开通服务" in visible_text(client_for(ada).get("/services/"))


def test_a_person_stops_new_orders_with_one_under_way(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    make_order(power_bank, agreement)
    freeze_clock(NOON, ada)
    browser = client_for(ada)
    page = visible_text(browser.get("/services/"))
    assert "来电充电宝 已开通" in page
    assert "每笔最高 ¥99.00" in page
    for _click in range(2):
        assert browser.post(f"/services/{agreement.public_id}/stop")["Location"] == "/services/"
    assert state_of(agreement) == "closing"
    page = visible_text(browser.get("/services/"))
    assert "已停用：来电充电宝 不再创建新订单" in page
    assert "还有 1 笔订单进行中" in page
    assert agreement.history.get(kind="closing").by == f"person:{ada.public_id}"


def test_without_orders_it_ends_at_once(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    freeze_clock(NOON, ada)
    browser = client_for(ada, "en")
    browser.post(f"/services/{agreement.public_id}/stop")
    assert state_of(agreement) == "terminated"
    assert "Stopped" in visible_text(browser.get("/services/"))


def test_only_ones_own_agreement_is_stopped(power_bank: Shop, ada: Person) -> None:
    theirs = make_agreement(power_bank, ada)
    unsigned = credit.request_agreement(power_bank.merchant.id, power_bank.service.id, "u-2", by=BY, at=NOON)
    stranger = client_for(make_person(power_bank, name="陌生人"))
    answers = [
        stranger.post(f"/services/{name}/stop")
        for name in ("agr_" + "0" * 32, theirs.public_id, unsigned.public_id, "agr_")
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert len({answer.content for answer in answers}) == 1
    assert (state_of(theirs), state_of(unsigned)) == ("active", "pending")
    assert stranger.get(f"/services/{theirs.public_id}/stop")["Location"] == "/services/"


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_reason_of_a_refusal_has_its_words_and_says_what_would_help(language: str) -> None:
    inputs = {
        "score": 600,
        "score_min": 700,
        "limit_minor": 100_00,
        "used_minor": 40_00,
        "asked_minor": 99_00,
        "open_orders": 20,
    }
    told = set()
    for reason in Reason:
        decision = Decision(reasons=[reason.value], inputs=inputs, at=NOON)
        with translation.override(language):
            page = render_to_string("credit/reasons.html", {"decision": decision, "currency": "CNY"})
        text = visible_text(HttpResponse(f"<main>{page}</main>"))
        assert reason.value not in text
        assert page.count("<p") == 3
        told.add(text.split("·")[0])
    assert len(told) == len(Reason)
