"""Saying at the console that a channel is out, and that it is back."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from billing import tasks
from billing.models import Outage
from kernel.actor import Actor
from orders.models import Pause
from tests.conftest import Shop, completed, someone, yuan
from tests.console.conftest import does, words_of
from tests.visiting import token_on

OUT, BACK, PAGE = "/ops/channels/sandbox/out", "/ops/channels/sandbox/back", "/ops/channels/"


@pytest.fixture
def desk(at_desk: Callable[..., Client]) -> Client:
    return at_desk("collections")


def test_a_channel_is_declared_out_and_back(power_bank: Shop, desk: Client) -> None:
    completed(power_bank, someone(power_bank), yuan("5"))
    assert "至多 1 笔欠款" in words_of(desk.get(OUT))
    assert does(desk, OUT, note="银行<b>维护</b>")["Location"] == PAGE
    tasks.keep_outages()

    page = desk.get(PAGE)
    assert "故障中" in words_of(page)
    assert "暂停的订单：1 笔" in words_of(page)
    assert b"<b>" not in page.content.partition(b"<main")[2]
    assert "共 1 笔" in words_of(desk.get(BACK))
    does(desk, BACK, note="恢复")
    tasks.keep_outages()

    assert not Pause.objects.filter(ended_at__isnull=True).exists()
    row, by = Outage.objects.get(), str(Actor.staff(User.objects.get(username="collections").pk))
    assert (row.began_by, row.ended_by, row.reason, row.ended_because) == (by, by, "银行<b>维护</b>", "恢复")
    assert "collections → collections" in words_of(desk.get(PAGE))


def test_what_is_so_already_is_said(desk: Client) -> None:
    assert "没有宣布故障" in words_of(desk.get(BACK))
    form = {"token": token_on(desk.get(OUT)), "note": "x"}
    late = {"token": token_on(desk.get(OUT)), "note": "y"}
    desk.post(OUT, form)
    assert desk.post(OUT, form).status_code == 302  # the second click of two
    assert "已宣布故障" in words_of(desk.post(OUT, late))
    assert "已宣布故障" in words_of(desk.get(OUT))
    assert Outage.objects.count() == 1


def test_a_reason_is_asked_for(desk: Client) -> None:
    assert does(desk, OUT, note=" ").status_code == 422
    assert not Outage.objects.exists()
