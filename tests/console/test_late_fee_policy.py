"""Publishing the late fee policy: preview, approval by a second colleague, rollback."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from merchants.models import LatePolicy
from orders.services import late_fee_policy
from tests.conftest import Shop, make_agreement, make_order, make_person, make_shop
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged

PAGE = "/ops/late/"
FORM = {"grace_hours_least": "24", "daily_bps_most": "0.05", "cap_bps_most": "10", "note": "新规：每日万分之五封顶"}


@pytest.fixture
def harsh(db: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = make_shop("严格", grace=timedelta(), late_fee_daily_bps=100, late_fee_cap_bps=2000)
    monkeypatch.setattr(late_fee_policy, "LIVE", shop.realm_id)
    return shop


def looked(client: Client, **fields: str) -> str:
    return page_text(client.post(PAGE, {**FORM, **fields, "step": "look", "token": "0" * 24}))


def publish(risk: Client, supervisor: Client, **fields: str) -> None:
    with assert_unchanged(*PROPOSAL_TABLES):
        row = propose_on_page(risk, PAGE, **(FORM | fields))
    decide_on_page(supervisor, row)


def test_it_is_published_by_two_after_a_preview_and_rolled_back(
    harsh: Shop, supervisor: Client, console_client: Callable[..., Client]
) -> None:
    risk, agreement = console_client("risk"), make_agreement(harsh, make_person(harsh))
    make_order(harsh, agreement, ceiling=100)
    seen = looked(risk)
    assert "1 项正式服务中，1 项的设定超出此规则" in seen
    assert "最近 30 天创建的 1 笔订单中，1 笔会适用更宽松的条款" in seen
    assert "未产生逾期费" in seen
    assert "1 live services, 1 specify more" in looked(console_client("risk", language="en-GB"))

    with assert_unchanged(*PROPOSAL_TABLES):
        row = propose_on_page(risk, PAGE, **FORM)
    page = page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    for words in ("宽限期至少（小时）", "24", "0.05", "每日逾期费最高（%）", "逾期费合计最高（%）"):
        assert words in page, words
    assert decide_on_page(risk, row).status_code != 200
    decide_on_page(supervisor, row)
    made = LatePolicy.objects.get(version=2)
    assert made.terms == {"grace_hours_least": 24, "daily_bps_most": 5, "cap_bps_most": 1000}
    assert ("+" in made.by, made.reason) == (True, FORM["note"])
    order = make_order(harsh, agreement, ceiling=100, at=made.effective_from)
    assert (order.grace, order.late_fee_daily_bps, order.late_fee_cap_bps) == (timedelta(hours=24), 5, 1000)
    assert 'value="0.05"' in supervisor.get(PAGE).content.decode()

    first = supervisor.get(f"{PAGE}?version=1").content.decode()
    assert first.count('value="100"') == 2
    publish(risk, supervisor, grace_hours_least="0", daily_bps_most="100", cap_bps_most="100")
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
        *[{"daily_bps_most": text} for text in ("", "-1", "100.01", "0.005", "5%", "1e1", "💴", "9" * 40)],
        {"cap_bps_most": "101"},
        {"note": " "},
        {"note": "好" * 201},
        {"note": "\x00"},
    ],
    ids=str,
)
def test_invalid_terms_are_rejected_before_approval(wrong: dict[str, Any], supervisor: Client) -> None:
    with assert_unchanged(*PROPOSAL_TABLES[2:]):
        assert submit_form(supervisor, PAGE, **(FORM | wrong)).status_code == 422


def test_it_has_the_publishers_of_the_other_policies(console_client: Callable[..., Client]) -> None:
    for role in ("viewer", "support", "collections", "finance", "auditor"):
        assert console_client(role).get(PAGE).status_code == 403, role
    for role in ("risk", "supervisor"):
        assert console_client(role).get(PAGE).status_code == 200, role
