"""What an approver reads: cleared values, choices and times in words; and requests that would fail are refused."""

from collections.abc import Callable
from datetime import timedelta

from django.test import Client

from merchants import services as merchants
from office.models import Proposal
from tests.browsing import form_token, freeze_clock, signed_in_client
from tests.conftest import BY, NOON, Shop, make_person
from tests.console.conftest import page_text, preview_digest, staff, submit_form
from tests.console.test_retry_policies import FORM, PUBLISH, preview
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page
from tests.unchanged import assert_unchanged


def test_a_cleared_value_is_a_change(power_bank: Shop, risk: Client, supervisor: Client) -> None:
    path = f"/ops/do/{power_bank.merchant.public_id}/limit_merchant"
    decide_on_page(supervisor, propose_on_page(risk, path, most="5", note="试行"))
    row = propose_on_page(risk, path, most="", note="取消上限")
    assert "单笔订单上限 有改动 5.00 无（将清除）" in page_text(supervisor.get(f"/ops/second/{row.public_id}"))


def test_removing_every_role_is_a_change(supervisor: Client) -> None:
    lin = staff("finance", "risk", name="lin")
    row = propose_on_page(supervisor, f"/ops/do/{lin.public_id}/change_roles", note="换岗")
    page = page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    assert "角色 有改动 财务、风控 无（将清除）" in page


def test_a_fee_is_read_in_words_and_not_set_for_the_past(
    power_bank: Shop, supervisor: Client, console_client: Callable[..., Client]
) -> None:
    freeze_clock(NOON, make_person(power_bank))
    finance, path = console_client("finance"), f"/ops/do/{power_bank.service.public_id}/set_fee"
    with assert_unchanged(*PROPOSAL_TABLES[2:], "kernel_auditline", "kernel_audithead"):
        page = submit_form(finance, path, bps="80", since="2020-01-01T00:00", note="续约")
    assert page.status_code == 422
    assert "须为现在起一年内的时间" in page_text(page)
    row = propose_on_page(finance, path, bps="80", since="2026-11-21T00:00", note="续约")
    page = page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    assert "2026年11月21日 00:00" in page
    assert "next_bps" not in page
    freeze_clock(NOON + timedelta(days=60), make_person(power_bank))
    page = supervisor.get(f"/ops/second/{row.public_id}")
    assert b'value="approve"' not in page.content


def test_the_fee_shown_is_the_one_in_effect(power_bank: Shop, supervisor: Client) -> None:
    service, path = power_bank.service, f"/ops/merchants/{power_bank.merchant.public_id}"
    day = NOON + timedelta(days=1)
    freeze_clock(NOON, make_person(power_bank))
    merchants.set_fee(service.id, 80, day, by=BY, at=NOON)
    assert "0.6% 自" in page_text(supervisor.get(path))
    freeze_clock(NOON + timedelta(days=60), make_person(power_bank))
    page = page_text(supervisor.get(path))
    assert "0.8%" in page
    assert "0.6%" not in page
    assert '<td class="field-fee_in_effect">80</td>' in supervisor.get("/ops/merchants/service/").content.decode()


def test_a_retry_policy_submitted_twice_is_one_request(risk: Client) -> None:
    page = preview(risk)
    form = {**FORM, "step": "publish", "seen": preview_digest(page), "token": form_token(page)}
    for _click in range(2):
        assert risk.post(PUBLISH, form).status_code == 302
    assert Proposal.objects.count() == 1


def test_a_proposal_about_oneself_is_not_ones_to_decide(
    supervisor: Client, console_client: Callable[..., Client]
) -> None:
    zhao = staff("supervisor", name="zhao")
    propose_on_page(supervisor, f"/ops/do/{zhao.public_id}/change_roles", roles="risk", note="换岗")
    about, other = signed_in_client(zhao), console_client("supervisor", "auditor")
    for client, waits in ((about, False), (other, True)):
        assert ("等您处理" in page_text(client.get("/ops/second/"))) == waits
        assert ("有 1 项等您复核" in client.get("/ops/").content.decode()) == waits
