"""Three views of the work in progress: /metrics, the console page, and the command."""

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from accounts import services as accounts
from accounts.models import User
from bnpl import heartbeat, metrics
from bnpl.work.catalog import WORK_KINDS
from kernel.admin_site import VIEWERS
from kernel.clock import live_now
from merchants.models import Merchant
from orders.models import Obligation
from tests.browsing import signed_in_client, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

TOKEN = "t0ken-" * 6
BEARER = f"Bearer {TOKEN}"


@pytest.fixture
def worker() -> Iterator[None]:
    with heartbeat.connect_broker() as broker:
        heartbeat.beat(broker, "celery@test")
        yield
        broker.delete(heartbeat.KEY)


@pytest.fixture
def lin(db: None) -> Client:
    return signed_in_client(
        accounts.create_staff("lin", "correct horse battery", roles=["viewer"], by=BY, at=NOON), "en"
    )


def scraped(client: Client) -> dict[tuple[str, str, str, str], float]:
    """What a collector would store: `(name, work, mode, of)` and the value."""
    text = client.get("/metrics").content.decode()
    return {
        (sample.name, sample.labels["work"], sample.labels["mode"], sample.labels["of"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "work" in sample.labels
    }


#: Whether it is production, and the token that is set.
POSTURES = {"here": (False, ""), "here, token": (False, TOKEN), "live": (True, ""), "live, token": (True, TOKEN)}


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("posture", "address", "shown", "status"),
    [
        ("here", "127.0.0.1", None, 200),
        ("here", "::1", None, 200),
        ("here", "10.0.0.7", None, 404),
        ("here", "10.0.0.7", "Bearer ", 404),
        ("here", "", None, 404),
        ("here", "unix:", None, 404),
        ("here, token", "127.0.0.1", None, 200),
        ("here, token", "10.0.0.7", None, 401),
        ("here, token", "10.0.0.7", BEARER, 200),
        ("live", "127.0.0.1", None, 404),
        ("live", "127.0.0.1", "Bearer ", 404),
        ("live", "10.0.0.7", "", 404),
        ("live, token", "127.0.0.1", None, 401),
        ("live, token", "127.0.0.1", BEARER, 200),
        ("live, token", "10.0.0.7", BEARER, 200),
        ("live, token", "10.0.0.7", BEARER[:-1], 401),
        ("live, token", "10.0.0.7", f"{BEARER}x", 401),
        ("live, token", "10.0.0.7", f"bearer {TOKEN}", 401),
        ("live, token", "10.0.0.7", TOKEN, 401),
        ("live, token", "10.0.0.7", "Bearer 密", 401),
    ],
)
def test_metrics_are_for_who_shows_the_token_and_outside_production_for_the_machine_itself(
    settings: LazySettings, posture: str, address: str, shown: str | None, status: int
) -> None:
    settings.PRODUCTION, settings.METRICS_TOKEN = POSTURES[posture]
    headers = {} if shown is None else {"authorization": shown.encode().decode("latin-1")}
    response = Client(REMOTE_ADDR=address, headers=headers).get("/metrics")
    assert response.status_code == status
    assert response["Cache-Control"] == "no-store"
    assert bool(response.content) == (status == 200)
    assert (response.headers.get("WWW-Authenticate") == "Bearer") == (status == 401)


def test_metrics_say_what_the_figures_say(power_bank: Shop, worker: None) -> None:
    make_due_order(power_bank, make_person(power_bank), yuan("1"), at=NOON)
    seen = scraped(Client())
    assert {work for _name, work, _mode, _of in seen} == set(WORK_KINDS) - {"wal_archive"}  # no archive here
    assert seen["bnpl_work_items", "obligations_due", "test", ""] == 1
    assert seen["bnpl_work_oldest_seconds", "obligations_due", "test", ""] > 60
    assert seen["bnpl_work_state", "obligations_due", "test", ""] == 2
    assert seen["bnpl_work_items", "obligations_due", "live", ""] == 0
    assert seen["bnpl_work_oldest_seconds", "obligations_due", "live", ""] == 0
    assert seen["bnpl_work_state", "broker", "", ""] == 0
    assert ("bnpl_work_items", "broker", "", "") not in seen


def test_metrics_without_a_broker_say_so(db: None, settings: LazySettings) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey.sock?db=0"
    seen = scraped(Client())
    assert seen["bnpl_work_state", "broker", "", ""] == 2
    assert not [work for _name, work, _mode, _of in seen if work in ("queue", "worker", "unacked")]


def test_metrics_without_a_database_are_none(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(**_when: object) -> None:
        raise OperationalError

    monkeypatch.setattr(metrics, "read_gauges", gone)
    response = Client().get("/metrics")
    assert (response.status_code, response.content) == (503, b"")


@pytest.fixture
def power_bank(power_bank: Shop) -> Shop:
    """Its days are settled up to now, as they are where the scheduled job runs."""
    Merchant.objects.update(settles_at=live_now() + timedelta(days=1))
    return power_bank


@pytest.mark.parametrize("role", VIEWERS)
def test_every_colleague_with_a_role_may_look(db: None, role: str) -> None:
    client = signed_in_client(accounts.create_staff("x", "correct horse battery", roles=[role], by=BY, at=NOON), "en")
    page = client.get("/ops/work/")
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert 'href="/ops/work/"' in client.get("/ops/").content.decode()


def test_nobody_else_may(power_bank: Shop) -> None:
    person = make_person(power_bank)
    assert person.user
    for stranger in (Client(), signed_in_client(person.user)):
        assert stranger.get("/ops/work/")["Location"].startswith("/ops/login/")
    nobody = signed_in_client(accounts.create_staff("new", "correct horse battery", roles=[], by=BY, at=NOON))
    assert nobody.get("/ops/work/").status_code == 403
    assert 'href="/ops/work/"' not in nobody.get("/ops/").content.decode()
    assert (
        signed_in_client(User.objects.create_superuser("boss", "correct horse battery")).get("/ops/work/").status_code
        == 200
    )


def test_the_page_is_for_looking(lin: Client) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert lin.generic(method, "/ops/work/").status_code == 405


def test_the_page_says_what_is_stuck_and_what_to_do(lin: Client, power_bank: Shop, worker: None) -> None:
    assert "Nothing is stuck." in visible_text(lin.get("/ops/work/"))
    make_due_order(power_bank, make_person(power_bank), yuan("1"), at=NOON)
    said = visible_text(lin.get("/ops/work/"))
    assert "1 stuck" in said  # due; past its grace by now, but nobody was asked
    assert WORK_KINDS["obligations_due"].description in said
    assert WORK_KINDS["obligations_due"].remedy in said
    assert WORK_KINDS["cases_open"].remedy not in said  # none is open
    chinese = visible_text(lin.get("/ops/work/", headers={"accept-language": "zh-CN"}))
    for told in ("1 项卡住", "已到期、尚未发起扣款", "先检查 worker、队列和 broker", "30 秒钟 · 5 分钟", "卡住"):
        assert told in chinese, told
    assert "Due, and" not in chinese


def links(console: Client) -> dict[tuple[str, str], str]:
    """Where the page leads from each number, by work and mode."""
    rows = console.get("/ops/work/").context["rows"]
    return {(figure.work, figure.mode): link for figure, link, _limits in rows if link}


def test_every_number_leads_to_its_rows(lin: Client, power_bank: Shop) -> None:
    found = links(lin)
    assert set(found) == {(work, mode) for work, kind in WORK_KINDS.items() if kind.rows for mode in ("live", "test")}
    # In a sandbox each merchant waits for the end of its next day, and of its month.
    always = {("settlements_due", "test"): 1, ("invoices_due", "test"): 1}
    for named, link in found.items():
        page = lin.get(link)
        assert page.status_code == 200, link
        assert page.context["cl"].result_count == always.get(named, 0), link

    for minutes in (1, 0):
        make_due_order(power_bank, make_person(power_bank), yuan("1"), at=NOON - timedelta(minutes=minutes))
    due = lin.get(links(lin)["obligations_due", "test"]).context["cl"]
    assert [row.collect_at for row in due.result_list] == [NOON - timedelta(minutes=1), NOON]

    Obligation.objects.update(day_end_at=NOON, day_end_error="x")
    assert lin.get(links(lin)["day_ends_failed", "test"]).context["cl"].result_count == 2
    assert lin.get(links(lin)["day_ends_due", "test"]).context["cl"].result_count == 0


def test_the_page_asks_the_same_few_questions_however_much_there_is(lin: Client, power_bank: Shop) -> None:
    lin.get("/ops/work/")
    with CaptureQueriesContext(connection) as few:
        lin.get("/ops/work/")
    for _ in range(3):
        make_due_order(power_bank, make_person(power_bank), yuan("1"))
    with CaptureQueriesContext(connection) as many:
        lin.get("/ops/work/")
    assert len(many) == len(few) <= 10


def test_the_command_prints_the_same_and_exits_by_it(power_bank: Shop, worker: None) -> None:
    out = StringIO()
    call_command("work", stdout=out)
    assert out.getvalue().endswith("Nothing is stuck.\n")

    make_due_order(power_bank, make_person(power_bank), yuan("1"), at=live_now() - timedelta(minutes=7))
    out = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("work", stdout=out)
    first, advice, *_rest, last = out.getvalue().splitlines()
    assert end.value.code == 1
    assert first.split()[:6] == ["stuck", "obligations_due", "test", "1", "7", "min"]
    assert advice.strip() == WORK_KINDS["obligations_due"].remedy
    assert last == "1 stuck."
