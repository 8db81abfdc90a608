"""A merchant's settlements as pages and files, and its payout account."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from accounts import services as accounts
from billing.models import PayoutAccount, Settlement
from billing.services.deduct import deduct_due
from billing.settlement_document import settlement_document
from kernel.clock import live_now
from kernel.documents import Table, Totals
from kernel.models import Realm
from portal.services import letter_triggers, letters
from tests.api import Api
from tests.browsing import signed_in_client, visible_text
from tests.conftest import BY, NOON, make_due_order, make_person, yuan
from tests.portal.conftest import Company
from tests.settlement.helpers import MIDNIGHT, settle_and_pay_out
from tests.unchanged import assert_unchanged

ACCOUNT = {"holder": "来电科技", "bank": "招商银行", "number": "6222 0212 3456 7890"}
#: What a request of somebody who is signed in touches beside what it is about.
SIGNING = ("django_session", "kernel_idempotencykey")
pytestmark = pytest.mark.django_db


@pytest.fixture
def settled(firm: Company) -> Settlement:
    """Two orders were collected, and the day has ended."""
    for title in ("=1+1", "雨" * 100):
        order = make_due_order(firm.shop, make_person(firm.shop), yuan("6"))
        order.__class__.objects.filter(pk=order.pk).update(title=title)
    deduct_due(firm.shop.realm_id, at=NOON)
    Realm.objects.filter(pk=firm.shop.realm_id).update(frozen_at=MIDNIGHT)
    settle_and_pay_out(firm.shop, MIDNIGHT)
    return Settlement.objects.get()


def test_a_settlement_shows_what_it_is_made_of(firm: Company, settled: Settlement) -> None:
    client = firm.browser("viewer")
    page = visible_text(client.get(f"{firm.at('test')}settlements/"))
    assert "¥11.92" in page
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(f"{firm.at('test')}settlements/{settled.public_id}")
    shown = visible_text(answer)
    for text in ("¥12.00", "−¥0.08", "¥11.92", "雨雨雨"):
        assert text in shown, text
    assert len(asked) < 20
    assert answer.content.count(b"/orders/ord_") == 4


def test_its_file_is_for_spreadsheets_and_calculates_nothing(firm: Company, settled: Settlement) -> None:
    address = f"{firm.at('test')}settlements/{settled.public_id}/lines.csv"
    rows = b"".join(firm.browser("finance").get(address).streaming_content).decode().splitlines()
    assert rows[0].startswith("\ufeffbooked_at,kind,out_order_no")
    assert len(rows) == 5
    assert ",'=1+1,6.00,CNY,pst_" in rows[1]
    assert ",-0.04,CNY," in rows[2]
    assert firm.browser("viewer").get(address).status_code == 403


def test_its_statement_is_a_paper_with_every_line(firm: Company, settled: Settlement) -> None:
    address = f"{firm.at('test')}settlements/{settled.public_id}/statement.pdf"
    answer = firm.browser("finance").get(address)
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")
    assert firm.browser("finance").get(address).content == answer.content, "the same paper is the same bytes"
    assert firm.browser("viewer").get(address).status_code == 403
    with translation.override("zh-hans"):
        paper = settlement_document(settled, at=MIDNIGHT)
    (table,) = [block for block in paper.blocks if isinstance(block, Table)]
    assert [row[3] for row in table.rows] == ["6.00", "-0.04"] * 2
    (totals,) = [block for block in paper.blocks if isinstance(block, Totals)]
    assert totals.rows[-1] == ("净额", "¥11.92")


def test_the_apis_file_has_the_same_lines_and_so_has_its_list(firm: Company, settled: Settlement) -> None:
    api = Api(firm.shop)
    path = f"settlements/{settled.public_id}/lines"
    page = api.get(path, QUERY_STRING="limit=3").json()
    rest = api.get(path, QUERY_STRING=f"limit=3&cursor={page['next_cursor']}").json()
    listed = [*page["data"], *rest["data"]]
    assert sum(line["amount"] for line in listed) == api.get(f"settlements/{settled.public_id}").json()["net"] == 1192
    answer = api.get(path, HTTP_ACCEPT="text/csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = b"".join(answer.streaming_content).decode().splitlines()
    assert rows[0] == "id,object,kind,order,out_order_no,amount,currency,posting,settlement,at"
    assert [row.partition(",")[0] for row in rows[1:]] == [line["id"] for line in listed[::-1]]
    assert api.get(path, HTTP_ACCEPT="*/*")["Content-Type"] == "application/json"


def asked_by(firm: Company, role: str) -> PayoutAccount:
    client = firm.browser(role)
    address = f"{firm.at('test')}payout-account/new"
    token = client.get(address).context["token"]
    assert client.post(address, ACCOUNT | {"token": token}).status_code == 302
    return PayoutAccount.objects.latest("id")


def decide(firm: Company, client: Client, account: PayoutAccount, verb: str) -> int:
    address = f"{firm.at('test')}payout-account/{account.public_id}/{verb}"
    token = getattr(client.get(address), "context", None)
    return int(client.post(address, {"token": token["token"] if token else "x"}).status_code)


def test_finance_asks_an_owner_agrees_and_owners_get_a_mail_each_time(firm: Company) -> None:
    account = asked_by(firm, "finance")
    page = visible_text(firm.browser("viewer").get(f"{firm.at('test')}settlements/"))
    assert "•••• 7890" in page
    assert "6222" not in page
    finance, owner = firm.browser("finance"), firm.browser("owner")
    with assert_unchanged(*SIGNING):
        assert decide(firm, finance, account, "agree") == 403
    for at in (live_now(), live_now() + timedelta(seconds=1)):
        letter_triggers.queue_account_letters(at=at, limit=9)
        letters.send_due(at=at, limit=9)
    assert len(mail.outbox) == 1
    assert decide(firm, owner, account, "agree") == 302
    letter_triggers.queue_account_letters(at=live_now(), limit=9)
    letters.send_due(at=live_now(), limit=9)
    assert len(mail.outbox) == 2
    assert "来电科技" in str(mail.outbox[1].body)
    found = PayoutAccount.objects.get(pk=account.pk)
    assert (found.state, found.effective_at) == ("agreed", found.decided_at + timedelta(hours=24))


def test_an_owner_who_asked_takes_it_back_and_cannot_agree_alone(firm: Company) -> None:
    account = asked_by(firm, "owner")
    owner = firm.browser("owner")
    with assert_unchanged(*SIGNING):
        assert decide(firm, owner, account, "agree") == 422
    assert decide(firm, owner, account, "refuse") == 302
    assert PayoutAccount.objects.get().state == "refused"


def test_a_wrong_account_is_told_field_by_field_and_nothing_is_lost(firm: Company) -> None:
    client = firm.browser("finance")
    address = f"{firm.at('test')}payout-account/new"
    token = client.get(address).context["token"]
    with assert_unchanged(*SIGNING):
        answer = client.post(address, ACCOUNT | {"number": "<script>", "token": token})
    assert answer.status_code == 422
    assert "来电科技" in answer.content.decode()
    assert b"<script>" not in answer.content


def test_a_colleague_agrees_in_the_operations_console(firm: Company) -> None:
    account = asked_by(firm, "finance")
    lin = signed_in_client(accounts.create_staff("lin", "correct horse battery", roles=["finance"], by=BY, at=NOON))
    address = f"/ops/do/{account.public_id}/agree_account"
    page = lin.get(address)
    assert "7890" in visible_text(page)
    sent = {"note": "打电话核实过", "token": page.context["token"]}
    assert lin.post(address, sent).status_code == 302
    assert PayoutAccount.objects.get().state == "agreed"
    viewer = signed_in_client(accounts.create_staff("bo", "correct horse battery", roles=["viewer"], by=BY, at=NOON))
    assert viewer.get(address).status_code == 403
