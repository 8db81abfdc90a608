"""Saved answers are kept for seven days and then deleted."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from kernel import idempotency, tasks
from kernel.models import IdempotencyKey
from tests.api import Api, idempotency_header
from tests.conftest import Shop
from tests.threads import run_concurrently

UMBRELLA = {"name": "雨伞", "mode": "dynamic", "ceiling": 9900}


def age_all(**span: float) -> None:
    """Set the age of all saved answers."""
    IdempotencyKey.objects.update(created_at=Now() - timedelta(**span))


def create_many(count: int, shop: Shop) -> None:
    blank = {"scope": shop.merchant.id, "route": "/v1/services", "request_hash": b"x", "status": 201}
    IdempotencyKey.objects.bulk_create(
        IdempotencyKey(key=f"n{n}", content_type="application/json", body=b"{}", **blank) for n in range(count)
    )


def test_answers_are_replayed_for_seven_days_and_then_the_request_is_new(
    power_bank: Shop,
) -> None:
    api = Api(power_bank)
    first = api.post("services", UMBRELLA, **idempotency_header("k"))
    age_all(days=6, hours=23, minutes=59)
    tasks.forget_answers()
    assert api.post("services", UMBRELLA, **idempotency_header("k")).content == first.content

    age_all(days=7, seconds=1)
    tasks.forget_answers()
    assert not IdempotencyKey.objects.exists()
    assert api.post("services", UMBRELLA, **idempotency_header("k")).json()["id"] != first.json()["id"]


def test_answers_are_deleted_oldest_first_in_batches(
    power_bank: Shop, django_assert_num_queries: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_many(250, power_bank)
    age_all(days=8)
    IdempotencyKey.objects.filter(key="n0").update(created_at=Now() - timedelta(days=9))
    with django_assert_num_queries(4):  # type: ignore[operator]  # a savepoint, which, gone, done
        assert idempotency.prune_expired(limit=100) == 100
    assert not IdempotencyKey.objects.filter(key="n0").exists()
    monkeypatch.setattr(tasks, "BATCH", 100)
    tasks.forget_answers()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_concurrent_prunings_delete_different_answers_without_waiting(power_bank: Shop) -> None:
    create_many(200, power_bank)
    age_all(days=8)
    assert sum(run_concurrently(*[lambda: idempotency.prune_expired(limit=50)] * 4)) == 200
    assert not IdempotencyKey.objects.exists()


def test_the_oldest_answers_are_found_by_their_index(power_bank: Shop) -> None:
    create_many(2_000, power_bank)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    old = IdempotencyKey.objects.filter(created_at__lt=Now() - idempotency.RETENTION).order_by("created_at")[:100]
    assert "idempotency_oldest" in old.explain()
