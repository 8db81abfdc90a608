"""Details of merchant console pages: the fee in force, the change log, the payout account, help texts of fields."""

import ast
from datetime import timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.template.loader import render_to_string

from billing.services.payout_accounts import AccountDetails, approve_payout_account, request_payout_account
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.models import Realm
from merchants import services as merchants
from portal.labels import CHANGE_LABELS
from portal.services import team
from tests.architecture import OWN_APPS
from tests.browsing import visible_text
from tests.conftest import BY, NOON
from tests.portal.conftest import Company

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_fee_shown_is_the_one_in_force(firm: Company) -> None:
    since = NOON + timedelta(days=1)
    merchants.set_fee(firm.shop.service.id, 80, since, by=BY, at=NOON)
    for at, seen, unseen in (
        (NOON, "0.6% 自 2026年11月21日", ""),
        (since, "0.8%", "0.6%"),
        (since + timedelta(days=60), "0.8%", "自 2026年11月21日"),
    ):
        Realm.objects.filter(pk=firm.shop.realm_id).update(frozen_at=at)
        page = visible_text(firm.browser("viewer").get(f"{firm.at('test')}services/"))
        assert seen in page
        assert not unseen or unseen not in page


def test_the_change_log_says_who_which_role_which_account_and_which_fee(firm: Company) -> None:
    owner, at = Actor.member(firm.staff["owner"].user_id), live_now()
    finance = firm.staff["finance"]
    team.change_role(firm.shop.live.id, finance.id, "viewer", by=owner, at=at)
    team.remove_member(firm.shop.live.id, firm.staff["developer"].id, by=owner, at=at)
    team.invite(firm.shop.live.id, "developer", email="new@example.com", by=owner, at=at)
    account = AccountDetails(holder="来电科技", bank="招商银行", number="6222021234567890")
    for merchant in (firm.shop.live, firm.shop.merchant):
        request_payout_account(merchant.id, account, by=owner, at=at)
    merchants.set_fee(firm.shop.service.id, 80, NOON + timedelta(days=1), by=BY, at=NOON)
    page = visible_text(firm.browser("owner").get(f"{firm.at('test')}changes/"))
    for line in (
        f"修改角色 {finance.user} 财务 → 只读成员",
        f"移除成员 {firm.staff['developer'].user} 开发者",
        "邀请成员 new@example.com 开发者",
        "申请更换收款账户 正式 来电科技 · 招商银行 · •••• 7890",
        "申请更换收款账户 测试 来电科技 · 招商银行 · •••• 7890",
        f"费率变更 测试 {firm.shop.service.name} 0.6% → 0.8%，自 2026年11月21日 12:00 起",
    ):
        assert line in page, page


def recorded_verbs() -> set[str]:
    """Every code that is recorded in merchants' change logs, as it stands in the code."""
    found: set[str] = set()
    for app in OWN_APPS:
        for path in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in {"record_change", "record_action"} and isinstance(node.args[1], ast.Constant):
                    found.add(str(node.args[1].value))
    return found


def test_every_change_has_a_label() -> None:
    assert {"fee_set", "role_changed"} <= recorded_verbs() <= set(CHANGE_LABELS)


@pytest.mark.parametrize(("role", "may_add"), [("owner", True), ("finance", True), ("viewer", False)])
def test_without_a_payout_account_no_payout_is_announced(firm: Company, role: str, may_add: bool) -> None:  # noqa: FBT001
    client, home = firm.browser(role), firm.at("live")
    page = client.get(home)
    assert "下次打款" not in visible_text(page)
    assert "请先设置收款账户" in visible_text(page)
    assert (f"{home}payout-account" in page.content.decode()) == may_add
    account = AccountDetails(holder="来电科技", bank="招商银行", number="6222021234567890")
    row = request_payout_account(firm.shop.live.id, account, by=BY, at=live_now())
    assert "收款账户待复核" in visible_text(client.get(home))
    other, decided_at = Actor.member(uuid4()), live_now() + timedelta(days=9)
    effective_at = approve_payout_account(row.id, by=other, at=decided_at).effective_at
    local = effective_at.astimezone(ZoneInfo("Asia/Shanghai"))
    assert f"下次打款 {local.year}年{local.month}月{local.day}日" in visible_text(client.get(home))
    assert "下次打款" in visible_text(client.get(firm.at("test")))


class Choices(forms.Form):
    """A checkbox and a group, each with a help text."""

    sure = forms.BooleanField(label="S", help_text="help of the box")
    some = forms.MultipleChoiceField(
        label="M", choices=[("a", "A")], help_text="help of the group", widget=forms.CheckboxSelectMultiple
    )


@pytest.mark.parametrize("data", [None, {}])
def test_checkboxes_and_groups_show_their_help_and_errors(data: dict[str, str] | None) -> None:
    html = render_to_string("portal/fields.html", {"form": Choices(data)})
    for name, text in (("sure", "help of the box"), ("some", "help of the group")):
        assert f'id="id_{name}_helptext">{text}</p>' in html
        assert f"id_{name}_helptext" in html.partition(text)[0]
        assert (f'id="id_{name}_error"' in html) == (data is not None)
