"""Merchants in the console: application, checks, approval, going live, suspension, fees, settlement preview."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import LocalMessage
from billing.services.deduct import deduct_due
from billing.services.payout_accounts import AccountDetails, approve_payout_account, request_payout_account
from kernel.clock import live_now
from merchants import services as merchants
from merchants.models import Merchant, Service
from merchants.rules import CHECKS
from orders import services as orders
from portal.models import Invitation
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import PROPOSAL_TABLES, decide_on_page, propose_on_page
from tests.office.merchant_fixtures import merchant_at
from tests.unchanged import assert_unchanged

FORM = {"name": "新店 <b>", "legal_name": "新店有限公司", "registration": "9131", "email": "wang@example.com"}


def desk_of(merchant: Merchant) -> str:
    return f"/ops/merchants/{merchant.public_id}"


def verb(row: Merchant | Service, name: str) -> str:
    return f"/ops/do/{row.public_id}/{name}"


def test_a_business_is_taken_in_from_its_application_to_being_live(risk: Client, supervisor: Client) -> None:
    assert submit_form(risk, "/ops/merchants/new", **FORM, note="展会").status_code == 302
    live = Merchant.objects.get(realm__mode="live")
    assert (live.name, live.state) == ("新店 <b>", "applied")
    assert Invitation.objects.get().email == "wang@example.com"
    sent = [letter.body for letter in mail.outbox] + list(LocalMessage.objects.values_list("text", flat=True))
    assert any("/merchant/" in text for text in sent)
    page = page_text(risk.get("/ops/merchants/"))
    assert "0 / 5" in page
    for check in CHECKS:
        assert submit_form(risk, verb(live, "note_check"), check=check, passed="yes", note="工商网").status_code == 302
    page = page_text(supervisor.get(desk_of(live)))
    for shown in ("新店有限公司", "9131", "工商网", "risk", "已核查"):
        assert shown in page, shown
    row = propose_on_page(risk, verb(live, "approve_merchant"), note="齐了")
    assert decide_on_page(supervisor, row).status_code == 302
    for missing in ("尚未确认收款账户", "尚无正式服务"):
        with assert_unchanged(*PROPOSAL_TABLES[2:]):
            refused = submit_form(supervisor, verb(live, "open_merchant"), note="x")
        assert refused.status_code == 422
        assert missing in page_text(refused)
        give_account(live)
    merchants.offer_service(live.id, {"name": "伞", "mode": "dynamic", "ceiling_minor": 1}, by=BY, at=live_now())
    assert submit_form(supervisor, verb(live, "open_merchant"), note="x").status_code == 302
    assert Merchant.objects.get(pk=live.pk).state == "active"
    assert "risk + supervisor" in page_text(risk.get(desk_of(live)))


def give_account(merchant: Merchant) -> None:
    """Two people agree where its money goes."""
    if not merchant.payout_accounts.exists():
        account = AccountDetails(holder="新店", bank="招商银行", number="6222021234567890")
        made = request_payout_account(merchant.id, account, by=BY, at=live_now())
        approve_payout_account(made.id, by=merchants_second(), at=live_now())


def merchants_second() -> object:
    return type(BY).system("second")


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "长" * 81}, {"email": "x"}, {"website": "javascript:alert(1)"}, {"registration": ""}],
    ids=str,
)
def test_what_no_business_can_be_called_is_told_beside_its_field(risk: Client, wrong: dict[str, str]) -> None:
    with assert_unchanged("django_session"):
        page = submit_form(risk, "/ops/merchants/new", **(FORM | wrong), note="x")
    assert page.status_code == 422
    assert 'value="新店有限公司"' in page.content.decode()


def test_a_second_click_takes_nobody_in_twice(risk: Client) -> None:
    page = risk.get("/ops/merchants/new").content.decode()
    token = page.partition('name="token" value="')[2][:24]
    for _ in range(2):
        assert risk.post("/ops/merchants/new", {**FORM, "note": "x", "token": token}).status_code == 302
    assert Merchant.objects.filter(realm__mode="live").count() == 1


def test_suspending_needs_no_approval_resuming_does(risk: Client, supervisor: Client) -> None:
    live = merchant_at("active")
    assert submit_form(risk, verb(live, "suspend_merchant"), note="投诉多").status_code == 302
    page = page_text(risk.get(desk_of(live)))
    assert "已暂停" in page
    assert "投诉多" in page
    assert "新店" in page_text(risk.get("/ops/merchants/"))
    row = propose_on_page(risk, verb(live, "resume_merchant"), note="已整改")
    assert Merchant.objects.get(pk=live.pk).state == "suspended"
    assert decide_on_page(supervisor, row).status_code == 302
    assert Merchant.objects.get(pk=live.pk).state == "active"
    assert risk.get(verb(live, "resume_merchant")).status_code == 404


def test_a_fee_is_asked_for_with_its_day_and_agreed_to_by_two(
    power_bank: Shop, console_client: Callable[..., Client], supervisor: Client
) -> None:
    freeze_clock(NOON, make_person(power_bank))
    path = verb(power_bank.service, "set_fee")
    row = propose_on_page(console_client("finance"), path, bps="80", since="2026-11-21T00:00", note="续约")
    page = page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    assert "80" in page
    answer = decide_on_page(supervisor, row)
    assert answer.status_code == 302, page_text(answer)
    service = Service.objects.get(pk=power_bank.service.pk)
    assert (service.fee_bps, service.next_fee_bps) == (60, 80)
    assert f"{service.next_fee_from:%Y-%m-%d %H:%M}" == "2026-11-20 16:00"
    assert "0.8%" in page_text(supervisor.get(desk_of(power_bank.merchant)))
    assert submit_form(console_client("finance"), path, bps="80", since="gestern", note="x").status_code == 422


def test_the_order_maximum_needs_approval(power_bank: Shop, risk: Client, supervisor: Client) -> None:
    row = propose_on_page(risk, verb(power_bank.merchant, "limit_merchant"), most="5", note="x")
    assert decide_on_page(supervisor, row).status_code == 302
    assert make_order(power_bank, make_agreement(power_bank, make_person(power_bank))).ceiling_minor == 500
    assert submit_form(risk, verb(power_bank.merchant, "limit_merchant"), most="-1", note="x").status_code == 422


def test_a_statement_is_shown_beforehand_and_nothing_of_it_is_kept(power_bank: Shop, supervisor: Client) -> None:
    person = make_person(power_bank)
    freeze_clock(NOON, person)
    path = f"{desk_of(power_bank.merchant)}/statement"
    assert "没有可结算的款项" in page_text(supervisor.get(path))
    make_due_order(power_bank, person, yuan("10"))
    deduct_due(power_bank.realm_id, at=NOON)
    freeze_clock(NOON + timedelta(hours=1), person)
    with assert_unchanged():
        page = page_text(supervisor.get(path))
    assert "¥10.00" in page
    assert "¥9.94" in page


def test_the_pages_ask_the_same_however_many_there_are(supervisor: Client, power_bank: Shop) -> None:
    merchant_at("checked")
    counts = []
    for _ in range(2):
        for path in ("/ops/merchants/", desk_of(power_bank.merchant)):
            with CaptureQueriesContext(connection) as seen:
                assert supervisor.get(path).status_code == 200
            counts.append(len(seen))
        for number in range(3):
            merchant_at("checked", f"店{number}")
            terms = {"name": f"s{number}", "mode": "dynamic", "ceiling_minor": 1}
            merchants.offer_service(power_bank.merchant.id, terms, by=BY, at=NOON)
            orders.complete_order(
                make_order(power_bank, make_agreement(power_bank, make_person(power_bank))).id,
                orders.CompletionRequest(total=1),
                by=BY,
                at=NOON,
            )
    assert counts[:2] == counts[2:]
    for odd in ("mch_" + "0" * 32, "nonsense", "x" * 300):
        assert supervisor.get(f"/ops/merchants/{odd}").status_code == 404
        assert supervisor.get(f"/ops/merchants/{odd}/statement").status_code == 404
