"""Answers are kept for seven days, and then no longer."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from kernel import idempotency, tasks
from kernel.models import IdempotencyKey
from tests.api import Api, key
from tests.conftest import Shop
from tests.threads import at_once

UMBRELLA = {"name": "雨伞", "mode": "dynamic", "ceiling": 9900}


def aged(**span: float) -> None:
    """Every answer there is was given so long ago."""
    IdempotencyKey.objects.update(created_at=Now() - timedelta(**span))


def many(count: int, shop: Shop) -> None:
    blank = {"scope": shop.merchant.id, "route": "/v1/services", "request_hash": b"x", "status": 201}
    IdempotencyKey.objects.bulk_create(
        IdempotencyKey(key=f"n{n}", content_type="application/json", body=b"{}", **blank) for n in range(count)
    )


def test_an_answer_can_be_had_again_until_seven_days_are_over_and_then_the_request_is_a_new_one(
    power_bank: Shop,
) -> None:
    api = Api(power_bank)
    first = api.post("services", UMBRELLA, **key("k"))
    aged(days=6, hours=23, minutes=59)
    tasks.forget_answers()
    assert api.post("services", UMBRELLA, **key("k")).content == first.content

    aged(days=7, seconds=1)
    tasks.forget_answers()
    assert not IdempotencyKey.objects.exists()
    assert api.post("services", UMBRELLA, **key("k")).json()["id"] != first.json()["id"]


def test_they_go_oldest_first_in_batches_of_a_few_statements(
    power_bank: Shop, django_assert_num_queries: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(250, power_bank)
    aged(days=8)
    IdempotencyKey.objects.filter(key="n0").update(created_at=Now() - timedelta(days=9))
    with django_assert_num_queries(4):  # type: ignore[operator]  # a savepoint, which, gone, done
        assert idempotency.forget_old(limit=100) == 100
    assert not IdempotencyKey.objects.filter(key="n0").exists()
    monkeypatch.setattr(tasks, "BATCH", 100)
    tasks.forget_answers()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_take_different_ones_and_wait_for_nobody(power_bank: Shop) -> None:
    many(200, power_bank)
    aged(days=8)
    assert sum(at_once(*[lambda: idempotency.forget_old(limit=50)] * 4)) == 200
    assert not IdempotencyKey.objects.exists()


def test_the_oldest_are_found_by_their_index(power_bank: Shop) -> None:
    many(2_000, power_bank)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    old = IdempotencyKey.objects.filter(created_at__lt=Now() - idempotency.KEPT).order_by("created_at")[:100]
    assert "idempotency_oldest" in old.explain()
