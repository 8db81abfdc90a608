"""A sandbox's days are settled and its months invoiced at their own times, and days without anything cost nothing."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.models import Invoice, Settlement
from billing.services import settlement
from merchants.models import Merchant
from tests.conftest import Shop
from tests.sandbox.life import Job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Counter[datetime]:
    """At which moments a merchant's day was looked at."""
    seen, real = Counter[datetime](), settlement.settle_next

    def watched(merchant_id: Any, *, at: datetime) -> bool:
        seen[at] += 1
        return real(merchant_id, at=at)

    monkeypatch.setattr(settlement, "settle_next", watched)
    return seen


def test_days_without_anything_are_no_stops(power_bank: Shop, cut: Counter[datetime]) -> None:
    job = Job(power_bank)
    job.used(job.person())
    job.advance("P60D")
    job.used(job.person())
    job.advance("P30D")
    start = datetime.fromisoformat(f"{job.now().year}-03-01T01:00:00+00:00")
    closed = list(Settlement.objects.order_by("id").values_list("period_from", "period_until", "created_at"))
    midnights = [start.replace(hour=16) + days * timedelta(days=1) for days in (0, 60)]
    assert [(until, made) for _from, until, made in closed] == [(end, end) for end in midnights]
    assert closed[1][0] == closed[0][1]
    assert sum(cut.values()) < 20  # ninety days
    months = list(Invoice.objects.order_by("id").values_list("period_until", "issued_at"))
    ends = [datetime(start.year, month, last, 16, tzinfo=start.tzinfo) for month, last in ((3, 31), (4, 30))]
    assert months == [(end, end) for end in ends]
    assert Merchant.objects.get(pk=power_bank.merchant.id).settles_at > ends[1]


@pytest.mark.parametrize("steps", [["P90D"], ["P45D", "P45D"], ["P1D"] * 20 + ["P70D"]])
def test_however_it_is_stepped_the_same_days_are_settled(power_bank: Shop, steps: list[str]) -> None:
    job = Job(power_bank)
    start = job.now()
    for day in (1, 12, 40):
        job.used(job.person(), due_at=(start + timedelta(days=day)).isoformat())
    for step in steps:
        job.advance(step)
    ends = [end - start for end in Settlement.objects.order_by("id").values_list("period_until", flat=True)]
    assert ends == [timedelta(days=day, hours=15) for day in (1, 12, 40)]
