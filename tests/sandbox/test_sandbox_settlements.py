"""A sandbox's days are settled and its months invoiced at their own times, and days without anything cost nothing."""

from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from billing.models import Invoice, Settlement
from billing.services import settlements
from kernel.clock import live_now
from merchants.models import Merchant
from tests.conftest import Shop, make_shop
from tests.sandbox.ci_job import CiJob
from tests.threads import run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cutoffs_checked(monkeypatch: pytest.MonkeyPatch) -> Counter[datetime]:
    """Counts the times at which a merchant's cut-off was checked."""
    seen, real = Counter[datetime](), settlements.settle_next_cutoff

    def watched(merchant_id: Any, *, at: datetime) -> bool:
        seen[at] += 1
        return real(merchant_id, at=at)

    monkeypatch.setattr(settlements, "settle_next_cutoff", watched)
    return seen


def test_empty_days_do_not_stop_an_advance(power_bank: Shop, cutoffs_checked: Counter[datetime]) -> None:
    job = CiJob(power_bank)
    job.complete_order(job.create_person())
    job.advance("P60D")
    job.complete_order(job.create_person())
    job.advance("P30D")
    start = datetime.fromisoformat(f"{job.now().year}-03-01T01:00:00+00:00")
    closed = list(Settlement.objects.order_by("id").values_list("period_from", "period_until", "created_at"))
    midnights = [start.replace(hour=16) + days * timedelta(days=1) for days in (0, 60)]
    assert [(until, made) for _from, until, made in closed] == [(end, end) for end in midnights]
    assert closed[1][0] == closed[0][1]
    assert sum(cutoffs_checked.values()) < 20  # ninety days
    months = list(Invoice.objects.order_by("id").values_list("period_until", "issued_at"))
    ends = [datetime(start.year, month, last, 16, tzinfo=start.tzinfo) for month, last in ((3, 31), (4, 30))]
    assert months == [(end, end) for end in ends]
    assert Merchant.objects.get(pk=power_bank.merchant.id).settles_at > ends[1]


@pytest.mark.parametrize("steps", [["P90D"], ["P45D", "P45D"], ["P1D"] * 20 + ["P70D"]])
def test_the_same_days_are_settled_for_any_step_size(power_bank: Shop, steps: list[str]) -> None:
    job = CiJob(power_bank)
    start = job.now()
    for day in (1, 12, 40):
        job.complete_order(job.create_person(), due_at=(start + timedelta(days=day)).isoformat())
    for step in steps:
        job.advance(step)
    ends = [end - start for end in Settlement.objects.order_by("id").values_list("period_until", flat=True)]
    assert ends == [timedelta(days=day, hours=15) for day in (1, 12, 40)]


@pytest.mark.parametrize(("held_for", "start"), [(3, "02-26"), (30, "01-30"), (60, "12-31")])
def test_a_reserve_is_released_on_its_day_without_other_events(
    power_bank: Shop, cutoffs_checked: Counter[datetime], held_for: int, start: str
) -> None:
    """Over the ends of months, of February and of the year."""
    job = CiJob(power_bank, start=f"{live_now().year + 1}-{start}T01:00:00Z")
    begun = job.now()
    Merchant.objects.filter(pk=power_bank.merchant.id).update(reserve_bps=1_000, reserve_days=held_for)
    job.complete_order(job.create_person())
    job.advance("P90D")
    first, last = Settlement.objects.order_by("id")
    assert (first.held_minor, last.reserve_minor) == (60, 60)
    assert [one.period_until - begun for one in (first, last)] == [
        timedelta(hours=15),
        timedelta(days=held_for, hours=15),
    ]
    assert sum(cutoffs_checked.values()) < 12


def test_each_sandbox_is_settled_by_its_own_clock(power_bank: Shop) -> None:
    """Two merchants advance their clocks at the same time; neither settles the other's days."""
    neighbour = make_shop("邻居🔋")
    jobs = [CiJob(power_bank), CiJob(neighbour, start=f"{live_now().year + 1}-05-31T15:30:00Z")]
    for job in jobs:
        job.complete_order(job.create_person())
    run_concurrently(*[partial(job.advance, "P3D") for job in jobs])
    for job, shop in zip(jobs, (power_bank, neighbour), strict=True):
        (made,) = Settlement.objects.filter(merchant=shop.merchant)
        assert timedelta() < job.now() - made.period_until < timedelta(days=3)
