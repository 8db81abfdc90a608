"""The system status page; and the alert rules, checked against the metrics that exist."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from billing.channels import CHANNELS
from billing.services.outage import begin_outage
from bnpl import VERSION, heartbeat, job_runs, scheduled_tasks, system_status
from bnpl.celery import SCHEDULE, app
from bnpl.work.catalog import WORK_KINDS
from kernel import sweeps
from kernel.clock import live_now
from kernel.models import LIVE, Realm
from tests.conftest import BY, NOON, Shop
from tests.console.conftest import page_text

#: What may wait for so long is office work, and wakes nobody.
A_DAY = timedelta(days=1)
ROOT = Path(__file__).resolve().parents[2]
ALERTS = (ROOT / "docs" / "alerts.yml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def no_job_runs(db: None) -> Iterator[None]:
    with heartbeat.connect_broker() as broker:
        broker.delete(job_runs.KEY)
        yield
        broker.delete(job_runs.KEY)


def run_as_scheduled(name: str) -> None:
    """The beat sends a trigger, and a worker runs it."""
    app.loader.import_default_modules()
    task = app.tasks[name]
    task.push_request(headers={"every": 0.001})
    try:
        task()
    finally:
        task.pop_request()


def fails(*_args: object, **_more: object) -> int:
    raise ZeroDivisionError


def test_a_jobs_last_run_is_remembered_and_how_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    run_as_scheduled("office.tasks.expire_proposals")
    last = job_runs.last_runs()["office.tasks.expire_proposals"]
    assert last.succeeded
    assert live_now() - last.ended_at < timedelta(seconds=30)

    monkeypatch.setattr("office.services.proposals.expire_due", fails)
    with pytest.raises(ZeroDivisionError):
        run_as_scheduled("office.tasks.expire_proposals")
    assert not job_runs.last_runs()["office.tasks.expire_proposals"].succeeded
    monkeypatch.setattr(scheduled_tasks, "claim_slot", lambda *_args, **_more: False)
    run_as_scheduled("office.tasks.expire_proposals")  # another worker took this ring
    assert not job_runs.last_runs()["office.tasks.expire_proposals"].succeeded


def test_a_sweep_with_a_failure_in_the_live_realm_counts_as_failed(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "billing.tasks.remind_due"  # nothing counts what it has not come to
    for realm_id, well in ((power_bank.realm_id, True), (LIVE, False)):
        there = Realm.objects.filter(pk=realm_id)
        monkeypatch.setattr(sweeps, "realms_due", lambda *_args, there=there, **_more: list(there))
        monkeypatch.setattr("billing.services.reminders.remind_planned_debits", fails)
        run_as_scheduled(name)
        assert job_runs.last_runs()[name].succeeded is well
        assert {job.name: job.is_late for job in system_status.job_statuses(real=live_now())}[name] is not well
    shown = re.findall(r'bnpl_job_late{job="(.+)"} 0.0', Client().get("/metrics").content.decode())
    assert shown == []


def test_what_ran_too_long_ago_or_failed_is_late() -> None:
    now = live_now()
    for task, age, well in (
        ("billing.tasks.deduct_due", timedelta(seconds=29), True),
        ("billing.tasks.close_days", timedelta(minutes=6), True),
        ("office.tasks.count_up", timedelta(), False),
    ):
        job_runs.record_run(task, job_runs.JobRun(now - age, timedelta(seconds=1), well))
    late = {job.name: job.is_late for job in system_status.job_statuses(real=now)}
    assert len(late) == len({one["task"] for one in SCHEDULE.values()})
    assert not late["billing.tasks.deduct_due"]
    assert late["billing.tasks.close_days"]
    assert late["office.tasks.count_up"]


def test_the_page_shows_the_system_status(
    console_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_runs.record_run("office.tasks.count_up", job_runs.JobRun(live_now(), timedelta(seconds=1.5), succeeded=True))
    begin_outage("wallet", "对账", by=BY, at=NOON)
    viewer, risk = console_client("viewer"), console_client("risk")
    page = page_text(viewer.get("/ops/system/"))
    for shown in (VERSION, "全部已执行", "office.count_up", "1.50 s", "wallet", "无记录"):
        assert shown in page, shown
    assert "/ops/channels/sandbox/out" not in viewer.get("/ops/system/").content.decode()
    assert "/ops/channels/wallet/back" in risk.get("/ops/system/").content.decode()
    monkeypatch.setattr("django.conf.settings.REDIS_URL", "redis://127.0.0.1:1/0")
    assert "消息中间件没有应答" in page_text(viewer.get("/ops/system/"))


def test_alert_rules_use_existing_metrics() -> None:
    begin_outage("wallet", "x", by=BY, at=NOON)
    job_runs.record_run("office.tasks.count_up", job_runs.JobRun(live_now(), timedelta(seconds=1), succeeded=True))
    families = list(text_string_to_metric_families(Client().get("/metrics").content.decode()))
    labels: dict[str, set[str]] = {}
    for family in families:
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    rules = re.findall(r"expr: (.+)", ALERTS)
    assert len(rules) == ALERTS.count("- alert:") == ALERTS.count("summary:")
    used = set(re.findall(r"\bbnpl_\w+", " ".join(rules)))
    assert used == set(labels)
    for name, asked in re.findall(r"(bnpl_\w+)\{([^}]*)\}", ALERTS):
        assert set(re.findall(r"(\w+)!?=", asked)) <= labels[name]
    assert set(re.findall(r'work="(\w+)"', ALERTS)) <= set(WORK_KINDS)
    by_day = [set(named.split("|")) for named in re.findall(r'work[=!]~"([\w|]+)"', ALERTS)]
    assert by_day == [{work for work, kind in WORK_KINDS.items() if kind.rows and kind.late and kind.late >= A_DAY}] * 2
    assert set(re.findall(r"\$labels\.(\w+)", ALERTS)) <= set().union(*labels.values())
    out = {
        sample.labels["channel"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "bnpl_channel_out"
    }
    assert out == {name: float(name == "wallet") for name in CHANNELS}


def test_a_missing_scrape_alerts_too() -> None:
    (down,) = re.findall(r"alert: BnplDown\n +expr: (.+)", ALERTS)
    assert down == 'up{job="bnpl"} == 0 or absent(up{job="bnpl"})'
    assert "job_name: bnpl" in ALERTS  # the name that the rule asks for


def test_the_version_is_the_projects() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
