"""Declaring channel outages and recoveries in the console."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from billing import tasks
from billing.models import Outage
from kernel.actor import Actor
from orders.models import Pause
from tests.browsing import form_token
from tests.conftest import Shop, make_due_order, make_person, yuan
from tests.console.conftest import page_text, submit_form

OUT, BACK, PAGE = "/ops/channels/sandbox/out", "/ops/channels/sandbox/back", "/ops/channels/"


@pytest.fixture
def desk(console_client: Callable[..., Client]) -> Client:
    return console_client("collections")


def test_an_outage_and_a_recovery_are_declared(power_bank: Shop, desk: Client) -> None:
    make_due_order(power_bank, make_person(power_bank), yuan("5"))
    assert "至多 1 笔欠款" in page_text(desk.get(OUT))
    assert submit_form(desk, OUT, note="银行<b>维护</b>")["Location"] == PAGE
    tasks.keep_outages()

    page = desk.get(PAGE)
    assert "故障中" in page_text(page)
    assert "暂停的订单：1 笔" in page_text(page)
    assert b"<b>" not in page.content.partition(b"<main")[2]
    assert "共 1 笔" in page_text(desk.get(BACK))
    submit_form(desk, BACK, note="恢复")
    tasks.keep_outages()

    assert not Pause.objects.filter(ended_at__isnull=True).exists()
    row, by = Outage.objects.get(), str(Actor.staff(User.objects.get(username="collections").pk))
    assert (row.began_by, row.ended_by, row.reason, row.ended_because) == (by, by, "银行<b>维护</b>", "恢复")
    assert "collections → collections" in page_text(desk.get(PAGE))


def test_declaring_the_same_twice_is_refused(desk: Client) -> None:
    assert "没有宣布故障" in page_text(desk.get(BACK))
    form = {"token": form_token(desk.get(OUT)), "note": "x"}
    late = {"token": form_token(desk.get(OUT)), "note": "y"}
    desk.post(OUT, form)
    assert desk.post(OUT, form).status_code == 302  # the second click of two
    assert "已宣布故障" in page_text(desk.post(OUT, late))
    assert "已宣布故障" in page_text(desk.get(OUT))
    assert Outage.objects.count() == 1


def test_a_reason_is_required(desk: Client) -> None:
    assert submit_form(desk, OUT, note=" ").status_code == 422
    assert not Outage.objects.exists()
