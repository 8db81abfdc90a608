"""Late fees and grace are a policy: published by two after a look at what it would have changed, and gone back from."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from merchants.models import LatePolicy
from orders.services import latepolicy
from tests.conftest import Shop, make_shop, opened, ordered, someone
from tests.console.conftest import does, words_of
from tests.office.seconds import ASKED, asked, decided
from tests.stillness import nothing_moves

PAGE = "/ops/late/"
FORM = {"grace_hours_least": "24", "daily_bps_most": "0.05", "cap_bps_most": "10", "note": "新规：每日万分之五封顶"}


@pytest.fixture
def harsh(db: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = make_shop("严格", grace=timedelta(), late_fee_daily_bps=100, late_fee_cap_bps=2000)
    monkeypatch.setattr(latepolicy, "LIVE", shop.realm_id)
    return shop


def looked(client: Client, **fields: str) -> str:
    return words_of(client.post(PAGE, {**FORM, **fields, "step": "look", "token": "0" * 24}))


def publish(risk: Client, boss: Client, **fields: str) -> None:
    with nothing_moves(*ASKED):
        row = asked(risk, PAGE, **(FORM | fields))
    decided(boss, row)


def test_two_publish_it_after_a_look_and_go_back_to_the_first(
    harsh: Shop, boss: Client, at_desk: Callable[..., Client]
) -> None:
    risk, agreement = at_desk("risk"), opened(harsh, someone(harsh))
    ordered(harsh, agreement, ceiling=100)
    seen = looked(risk)
    assert "1 项正式服务中，1 项的设定超出此规则" in seen
    assert "最近 30 天创建的 1 笔订单中，1 笔会适用更宽松的条款" in seen
    assert "未产生逾期费" in seen
    assert "1 live services, 1 specify more" in looked(at_desk("risk", language="en-GB"))

    with nothing_moves(*ASKED):
        row = asked(risk, PAGE, **FORM)
    page = words_of(boss.get(f"/ops/second/{row.public_id}"))
    for words in ("宽限期至少（小时）", "24", "0.05", "每日逾期费最高（%）", "逾期费合计最高（%）"):
        assert words in page, words
    assert decided(risk, row).status_code != 200
    decided(boss, row)
    made = LatePolicy.objects.get(version=2)
    assert made.terms == {"grace_hours_least": 24, "daily_bps_most": 5, "cap_bps_most": 1000}
    assert ("+" in made.by, made.reason) == (True, FORM["note"])
    order = ordered(harsh, agreement, ceiling=100, at=made.effective_from)
    assert (order.grace, order.late_fee_daily_bps, order.late_fee_cap_bps) == (timedelta(hours=24), 5, 1000)
    assert 'value="0.05"' in boss.get(PAGE).content.decode()

    first = boss.get(f"{PAGE}?version=1").content.decode()
    assert first.count('value="100"') == 2
    publish(risk, boss, grace_hours_least="0", daily_bps_most="100", cap_bps_most="100")
    assert LatePolicy.objects.get(version=3).terms == LatePolicy.objects.get(version=1).terms
    assert harsh.service.late_fee_daily_bps == 100


@pytest.mark.parametrize(
    "wrong",
    [
        {"grace_hours_least": "-1"},
        {"grace_hours_least": "2161"},
        {"grace_hours_least": "1.5"},
        {"grace_hours_least": ""},
        {"grace_hours_least": "9" * 400},
        *[{"daily_bps_most": text} for text in ("", "-1", "100.01", "0.005", "5%", "1e1", "１", "💴", "9" * 40)],
        {"cap_bps_most": "101"},
        {"note": " "},
        {"note": "好" * 201},
        {"note": "\x00"},
    ],
    ids=str,
)
def test_what_cannot_be_published_is_not_asked_for(wrong: dict[str, Any], boss: Client) -> None:
    with nothing_moves(*ASKED[2:]):
        assert does(boss, PAGE, **(FORM | wrong)).status_code == 422


def test_who_publishes_it_is_who_the_other_policies_say(at_desk: Callable[..., Client]) -> None:
    for role in ("viewer", "support", "collections", "finance", "auditor"):
        assert at_desk(role).get(PAGE).status_code == 403, role
    for role in ("risk", "supervisor"):
        assert at_desk(role).get(PAGE).status_code == 200, role
