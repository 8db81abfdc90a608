"""Actors are shown by name wherever the console shows them, in one query for any number of rows."""

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from credit import limits
from credit.models import LimitChange
from kernel import actor_names
from kernel.actor import Actor
from tests.architecture import OWN_APPS
from tests.architecture.test_translations import ROOT
from tests.conftest import NOON, Shop, make_person
from tests.console.conftest import page_text, staff
from tests.office.person_history import person_with_history

KEY = UUID(int=7)
SYSTEM = re.compile(r'Actor\.system\("([a-z_-]+)"\)')


@pytest.mark.parametrize(
    ("by", "english", "chinese"),
    [
        (Actor.staff(KEY), "wang", "wang"),
        (Actor.member(KEY), "the merchant's staff: wang", "商户员工：wang"),
        (Actor.merchant(KEY), "the merchant's program, key …0007", "商户程序，密钥 …0007"),
        (Actor.person(KEY), "the customer", "用户本人"),
        (Actor.channel("sandbox"), "the channel sandbox", "渠道 sandbox"),
        (Actor.system("day_end"), "automatically: Day End", "系统自动：日终"),
        (Actor.system("unheard_of"), "automatically: unheard_of", "系统自动：unheard_of"),
    ],
)
def test_everybody_is_called_something(by: Actor, english: str, chinese: str) -> None:
    names = {str(Actor.staff(KEY)): "wang", str(Actor.member(KEY)): "wang"}
    with override("en"):
        assert actor_names.describe_actor(str(by), names) == english
    with override("zh-hans"):
        assert actor_names.describe_actor(str(by), names) == chinese


@pytest.mark.parametrize("by", ["", "staff:usr_0", "nobody", "staff:100%", f"staff:usr_{KEY.hex}+usr_1"])
def test_what_nobody_is_called_stays_as_it_is(by: str) -> None:
    assert actor_names.describe_actor(by, {}) == by


def test_every_job_of_the_house_has_its_words() -> None:
    written = {
        job
        for app in OWN_APPS
        for path in (ROOT / app).rglob("*.py")
        for job in SYSTEM.findall(path.read_text("utf-8"))
    }
    assert {"deduct", "day_end", "settle"} <= written
    assert written - set(actor_names.SYSTEM_JOBS) == set()


def test_a_list_names_two_who_agreed_by_one_question(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    desk = console_client("risk")
    lin, mei = staff("risk", name="lin"), staff("supervisor", name="mei")
    by = Actor.staff(lin.pk).approved_by(Actor.staff(mei.pk))
    asked: list[int] = []
    for _ in range(2):
        person = make_person(power_bank)
        limits.change_limit(person.id, 7_000, "asked for", by=by, at=NOON)
        with CaptureQueriesContext(connection) as asked_now:
            page = desk.get("/ops/credit/limitchange/")
        asked.append(len(asked_now))
    assert "lin + mei" in page_text(page)
    assert "usr_" not in page_text(page)
    assert asked[0] == asked[1]
    change = LimitChange.objects.latest("id")
    assert str(by) in page_text(desk.get(f"/ops/credit/limitchange/{change.pk}/change/"))


def test_no_list_of_a_whole_life_shows_a_code(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    person_with_history(power_bank, 1)
    desk = console_client("supervisor")
    for table in ("orders/orderevent", "orders/obligationevent", "billing/deductionevent", "billing/disputeevent"):
        assert not re.search(r"(?:staff|person|system|merchant|channel):\w", page_text(desk.get(f"/ops/{table}/")))
