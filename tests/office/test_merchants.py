"""Merchants at the console: taken in, looked into, agreed to by two, opened, suspended; fees and a statement ahead."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import LocalMessage
from billing.services.deduct import deduct_due
from billing.services.payout_accounts import Account, agree_payout_account, ask_payout_account
from kernel.clock import live_now
from merchants import services as merchants
from merchants.models import Merchant, Service
from merchants.rules import CHECKS
from orders import services as orders
from portal.models import Invitation
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, yuan
from tests.console.conftest import does, words_of
from tests.office.newcomers import merchant_at
from tests.office.seconds import ASKED, asked, decided
from tests.stillness import nothing_moves
from tests.visiting import it_is

FORM = {"name": "新店 <b>", "legal_name": "新店有限公司", "registration": "9131", "email": "wang@example.com"}


def desk_of(merchant: Merchant) -> str:
    return f"/ops/merchants/{merchant.public_id}"


def verb(row: Merchant | Service, name: str) -> str:
    return f"/ops/do/{row.public_id}/{name}"


def test_a_business_is_taken_in_from_its_application_to_being_live(risk: Client, boss: Client) -> None:
    assert does(risk, "/ops/merchants/new", **FORM, note="展会").status_code == 302
    live = Merchant.objects.get(realm__mode="live")
    assert (live.name, live.state) == ("新店 <b>", "applied")
    assert Invitation.objects.get().email == "wang@example.com"
    sent = [letter.body for letter in mail.outbox] + list(LocalMessage.objects.values_list("text", flat=True))
    assert any("/merchant/" in text for text in sent)
    page = words_of(risk.get("/ops/merchants/"))
    assert "0 / 5" in page
    for check in CHECKS:
        assert does(risk, verb(live, "note_check"), check=check, passed="yes", note="工商网").status_code == 302
    page = words_of(boss.get(desk_of(live)))
    for shown in ("新店有限公司", "9131", "工商网", "risk", "已核查"):
        assert shown in page, shown
    row = asked(risk, verb(live, "approve_merchant"), note="齐了")
    assert decided(boss, row).status_code == 302
    for missing in ("尚未确认收款账户", "尚无正式服务"):
        with nothing_moves(*ASKED[2:]):
            refused = does(boss, verb(live, "open_merchant"), note="x")
        assert refused.status_code == 422
        assert missing in words_of(refused)
        give_account(live)
    merchants.offer_service(live.id, {"name": "伞", "mode": "dynamic", "ceiling_minor": 1}, by=BY, at=live_now())
    assert does(boss, verb(live, "open_merchant"), note="x").status_code == 302
    assert Merchant.objects.get(pk=live.pk).state == "active"
    assert "risk + supervisor" in words_of(risk.get(desk_of(live)))


def give_account(merchant: Merchant) -> None:
    """Two people agree where its money goes."""
    if not merchant.payout_accounts.exists():
        account = Account(holder="新店", bank="招商银行", number="6222021234567890")
        made = ask_payout_account(merchant.id, account, by=BY, at=live_now())
        agree_payout_account(made.id, by=merchants_second(), at=live_now())


def merchants_second() -> object:
    return type(BY).system("second")


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "长" * 81}, {"email": "x"}, {"website": "javascript:alert(1)"}, {"registration": ""}],
    ids=str,
)
def test_what_no_business_can_be_called_is_told_beside_its_field(risk: Client, wrong: dict[str, str]) -> None:
    with nothing_moves("django_session"):
        page = does(risk, "/ops/merchants/new", **(FORM | wrong), note="x")
    assert page.status_code == 422
    assert 'value="新店有限公司"' in page.content.decode()


def test_a_second_click_takes_nobody_in_twice(risk: Client) -> None:
    page = risk.get("/ops/merchants/new").content.decode()
    token = page.partition('name="token" value="')[2][:24]
    for _ in range(2):
        assert risk.post("/ops/merchants/new", {**FORM, "note": "x", "token": token}).status_code == 302
    assert Merchant.objects.filter(realm__mode="live").count() == 1


def test_a_suspension_is_one_click_and_its_end_takes_two(risk: Client, boss: Client) -> None:
    live = merchant_at("active")
    assert does(risk, verb(live, "suspend_merchant"), note="投诉多").status_code == 302
    page = words_of(risk.get(desk_of(live)))
    assert "已暂停" in page
    assert "投诉多" in page
    assert "新店" in words_of(risk.get("/ops/merchants/"))
    row = asked(risk, verb(live, "resume_merchant"), note="已整改")
    assert Merchant.objects.get(pk=live.pk).state == "suspended"
    assert decided(boss, row).status_code == 302
    assert Merchant.objects.get(pk=live.pk).state == "active"
    assert risk.get(verb(live, "resume_merchant")).status_code == 404


def test_a_fee_is_asked_for_with_its_day_and_agreed_to_by_two(
    power_bank: Shop, at_desk: Callable[..., Client], boss: Client
) -> None:
    it_is(NOON, someone(power_bank))
    path = verb(power_bank.service, "set_fee")
    row = asked(at_desk("finance"), path, bps="80", since="2026-11-21T00:00", note="续约")
    page = words_of(boss.get(f"/ops/second/{row.public_id}"))
    assert "80" in page
    answer = decided(boss, row)
    assert answer.status_code == 302, words_of(answer)
    service = Service.objects.get(pk=power_bank.service.pk)
    assert (service.fee_bps, service.next_fee_bps) == (60, 80)
    assert f"{service.next_fee_from:%Y-%m-%d %H:%M}" == "2026-11-20 16:00"
    assert "0.8%" in words_of(boss.get(desk_of(power_bank.merchant)))
    assert does(at_desk("finance"), path, bps="80", since="gestern", note="x").status_code == 422


def test_the_most_of_one_order_takes_two(power_bank: Shop, risk: Client, boss: Client) -> None:
    row = asked(risk, verb(power_bank.merchant, "limit_merchant"), most="5", note="x")
    assert decided(boss, row).status_code == 302
    assert ordered(power_bank, opened(power_bank, someone(power_bank))).ceiling_minor == 500
    assert does(risk, verb(power_bank.merchant, "limit_merchant"), most="-1", note="x").status_code == 422


def test_a_statement_is_shown_beforehand_and_nothing_of_it_is_kept(power_bank: Shop, boss: Client) -> None:
    person = someone(power_bank)
    it_is(NOON, person)
    path = f"{desk_of(power_bank.merchant)}/statement"
    assert "没有可结算的款项" in words_of(boss.get(path))
    completed(power_bank, person, yuan("10"))
    deduct_due(power_bank.realm_id, at=NOON)
    it_is(NOON + timedelta(hours=1), person)
    with nothing_moves():
        page = words_of(boss.get(path))
    assert "¥10.00" in page
    assert "¥9.94" in page


def test_the_pages_ask_the_same_however_many_there_are(boss: Client, power_bank: Shop) -> None:
    merchant_at("checked")
    counts = []
    for _ in range(2):
        for path in ("/ops/merchants/", desk_of(power_bank.merchant)):
            with CaptureQueriesContext(connection) as seen:
                assert boss.get(path).status_code == 200
            counts.append(len(seen))
        for number in range(3):
            merchant_at("checked", f"店{number}")
            terms = {"name": f"s{number}", "mode": "dynamic", "ceiling_minor": 1}
            merchants.offer_service(power_bank.merchant.id, terms, by=BY, at=NOON)
            orders.complete_order(
                ordered(power_bank, opened(power_bank, someone(power_bank))).id,
                orders.Final(total=1),
                by=BY,
                at=NOON,
            )
    assert counts[:2] == counts[2:]
    for odd in ("mch_" + "0" * 32, "nonsense", "x" * 300):
        assert boss.get(f"/ops/merchants/{odd}").status_code == 404
        assert boss.get(f"/ops/merchants/{odd}/statement").status_code == 404
