"""Publishing a retry policy: form, preview, approval."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.models import RetryPolicy
from billing.services.deduct import deduct_due
from billing.services.retry_policies import publish_policy
from kernel.actor import Actor
from kernel.clock import live_now
from office.models import Proposal
from office.services import proposals
from tests.billing.helpers import obligation_of
from tests.browsing import form_token, freeze_clock
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.console.conftest import page_text, preview_digest
from tests.office.approval_helpers import PROPOSAL_TABLES
from tests.unchanged import assert_unchanged

PUBLISH = "/ops/policies/standard/publish"
FORM = {
    "retry_days": "1, 2, 3",
    "retry_hour": "15",
    "quiet_from": "22",
    "quiet_until": "7",
    "instrument_a_day": "1",
    "instrument_in_30_days": "15",
    "person_a_day": "2",
    "paydays": "10，15",
    "payday_reach": "2",
    "business_days_of": "CN",
    "switch_on_soft": "on",
    "technical_minutes": "10 30 120",
    "move_days_max": "7",
    "effective_from": "",
    "reason": "下午人们才看手机",
}


def preview(client: Client, path: str = PUBLISH, **fields: Any) -> Any:
    return client.post(path, {**FORM, "step": "preview", **fields})


def publish(client: Client, path: str = PUBLISH, **fields: Any) -> Any:
    """What was looked at is put before a second colleague."""
    page = preview(client, path, **fields)
    sent = {"step": "publish", "seen": preview_digest(page), "token": form_token(page)}
    return client.post(path, {**FORM, **sent, **fields})


def test_the_form_starts_with_the_current_or_the_requested_version(risk: Client) -> None:
    publish_policy("standard", {"retry_hour": 16}, NOON, "x", by=BY, at=NOON)
    assert b'name="retry_hour" value="16"' in risk.get(PUBLISH).content
    assert b'name="retry_hour" value="10"' in risk.get(f"{PUBLISH}?version=1").content
    assert b'value="1, 3, 5, 7, 10, 14, 21, 30, 45, 60, 75, 90"' in risk.get(f"{PUBLISH}?version=1").content
    for odd in ("", "99", "x", "9" * 40, "１"):
        assert b'name="retry_hour" value="16"' in risk.get(PUBLISH, {"version": odd}).content


def test_the_preview_shows_changed_terms_and_publishes_nothing(risk: Client) -> None:
    risk.get(PUBLISH)
    with assert_unchanged():
        page = preview(risk)
    said = page_text(page)
    assert page.status_code == 200
    assert "与第 1 版对比" in said
    assert page.content.decode().count('class="changed"') == 3  # the days, the hour, the calendar
    assert "有改动 10 15" in said
    assert "最多计算其中属于本策略的 1000 笔" in said or "1,000" in said


def agreed(at: datetime | None = None) -> None:
    """A second colleague agrees to what was asked for last."""
    row, second = Proposal.objects.latest("pk"), User.objects.get(username="supervisor").pk
    proposals.approve(row.pk, "看过了", by=Actor.staff(second), at=at or live_now())


@pytest.fixture(autouse=True)
def supervisor(console_client: Callable[..., Client]) -> Client:
    return console_client("supervisor")


def test_a_previewed_version_is_published_by_two_with_a_reason(risk: Client) -> None:
    with assert_unchanged(*PROPOSAL_TABLES):
        assert publish(risk)["Location"] == "/ops/policies/"
    agreed()
    made = RetryPolicy.objects.get(version=2)
    assert made.terms["retry_days"] == [1, 2, 3]
    assert made.terms["paydays"] == [10, 15]
    assert made.terms["technical_minutes"] == [10, 30, 120]
    by = [Actor.staff(User.objects.get(username=name).pk) for name in ("risk", "supervisor")]
    assert (made.reason, made.by) == ("下午人们才看手机", str(by[0].approved_by(by[1])))
    listed = page_text(risk.get("/ops/policies/"))
    assert "生效中" in listed
    assert "下午人们才看手机 risk + supervisor" in listed


def test_a_form_changed_after_the_preview_is_previewed_again(risk: Client) -> None:
    seen = preview_digest(preview(risk))
    page = risk.post(PUBLISH, {**FORM, "step": "publish", "seen": seen, "retry_hour": "16"})
    assert page.status_code == 200
    assert "请重新预览" in page_text(page)
    assert RetryPolicy.objects.count() == 1
    assert risk.post(PUBLISH, {**FORM, "step": "publish", "seen": ""}).status_code == 200
    assert RetryPolicy.objects.count() == 1


def test_a_version_published_meanwhile_has_to_be_read_first(risk: Client) -> None:
    seen = preview_digest(preview(risk))
    publish_policy("standard", {"retry_hour": 9}, NOON, "抢先", by=BY, at=NOON)
    page = risk.post(PUBLISH, {**FORM, "step": "publish", "seen": seen})
    assert "与第 2 版对比" in page_text(page)
    assert RetryPolicy.objects.count() == 2
    form = {**FORM, "step": "publish", "seen": preview_digest(page), "token": form_token(page)}
    assert risk.post(PUBLISH, form).status_code == 302


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("retry_days", "3, 2", "从小到大"),
        ("retry_days", "1.5", "整数"),
        ("retry_days", "1, zwei", "整数"),
        ("retry_days", "400", "1 到 365"),
        ("retry_hour", "24", "0 到 23"),
        ("retry_hour", "", ""),
        ("retry_hour", "23", "免打扰"),
        ("quiet_from", "5", "早上结束"),
        ("person_a_day", "0", "1 到 1000"),
        ("paydays", "32", "1 到 31"),
        ("business_days_of", "XX", ""),
        ("effective_from", "2020-01-01T00:00", "已过"),
        ("effective_from", "yesterday", ""),
        ("reason", "", ""),
        ("reason", "x" * 201, ""),
    ],
)
def test_errors_are_shown_beside_their_fields(risk: Client, field: str, value: str, words: str) -> None:
    page = preview(risk, **{field: value})
    assert page.status_code == 422
    where = "quiet_until" if field == "quiet_from" else field
    beside = page.content.decode().partition(f'id="id_{where}_error"')[2].partition("</ul>")[0]
    assert beside
    assert words in beside
    assert 'value="publish"' not in page.content.decode()


def test_the_effective_date_is_in_the_console_zone(risk: Client) -> None:
    publish(risk, effective_from="2036-01-05T09:30")
    agreed()
    assert RetryPolicy.objects.get(version=2).effective_from.isoformat() == "2036-01-05T01:30:00+00:00"
    assert "待生效" in page_text(risk.get("/ops/policies/"))


def test_a_new_policy_is_created_once(risk: Client) -> None:
    path = "/ops/policies/new"
    assert publish(risk, path, name="gentle").status_code == 302
    agreed()
    assert RetryPolicy.objects.get(name="gentle").version == 1
    page = preview(risk, path, name="<b>Gentle</b>")
    assert page.status_code == 422
    assert b"<b>Gentle" not in page.content
    seen = preview_digest(preview(risk, path, name="gentle"))
    page = risk.post(path, {**FORM, "name": "gentle", "step": "publish", "seen": seen})
    assert page.status_code == 422
    assert RetryPolicy.objects.filter(name="gentle").count() == 1


def test_the_reason_is_escaped(risk: Client) -> None:
    bad = "<img src=x onerror=alert(1)>"
    assert bad.encode() not in preview(risk, retry_days=bad, reason=bad).content
    publish(risk, reason=bad)
    agreed()
    for path in ("/ops/policies/", "/ops/billing/retrypolicy/"):
        assert bad.encode() not in risk.get(path).content


def test_deductions_that_would_move_are_shown(power_bank: Shop, risk: Client) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    freeze_clock(NOON + timedelta(hours=1), order.person)
    said = page_text(preview(risk, business_days_of="", retry_days="1, 2, 3, 5, 7, 10, 14, 21, 30"))
    assert "1 笔中有 1 笔" in said
    assert obligation_of(order).public_id in said
    assert "10:00" in said
    assert "15:00" in said
