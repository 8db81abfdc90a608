"""A repeated request gets the first answer, byte for byte, and has no second effect."""

from datetime import timedelta

import pytest
from django.db import connections, transaction

from kernel import idempotency
from kernel.idempotency import IdempotentRequest
from kernel.models import IdempotencyKey
from merchants.models import Service
from orders.models import Order
from tests.api import Api, assert_problem, idempotency_header, order_body
from tests.conftest import Shop, make_shop
from tests.unchanged import assert_unchanged

UMBRELLA = {"name": "雨伞", "mode": "dynamic", "ceiling": 9900}


@pytest.fixture
def api(power_bank: Shop) -> Api:
    return Api(power_bank)


def test_a_repeated_request_gets_the_same_bytes_and_creates_nothing(api: Api) -> None:
    first = api.post("services", UMBRELLA, **idempotency_header("k"))
    with assert_unchanged():
        again = api.post("services", UMBRELLA, **idempotency_header("k"))

    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert again["Content-Type"] == first["Content-Type"]
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert again["Request-Id"] != first["Request-Id"]


def test_without_a_key_a_repeated_request_is_a_new_one(api: Api) -> None:
    names = {api.post("services", UMBRELLA).json()["id"] for _ in range(2)}
    assert len(names) == 2


def test_a_repeat_gets_the_first_answer_not_the_current_state(api: Api, power_bank: Shop) -> None:
    wish = order_body(api.agreement(power_bank.service.public_id))
    first = api.post("orders", wish, **idempotency_header("k"))
    api.post(f"orders/{first.json()['id']}/cancel", {"reason": "x"})

    again = api.post("orders", wish, **idempotency_header("k"))

    assert (again.status_code, again.content) == (201, first.content)
    assert api.post("orders", wish).json()["state"] == "cancelled"


@pytest.mark.parametrize("other", [UMBRELLA | {"ceiling": 9901}, {}])
def test_the_key_with_another_body_is_refused(api: Api, other: dict[str, object]) -> None:
    api.post("services", UMBRELLA, **idempotency_header("k"))
    with assert_unchanged():
        assert_problem(api.post("services", other, **idempotency_header("k")), 422, "idempotency_key_reused")


def test_the_key_at_another_address_is_refused(api: Api, power_bank: Shop) -> None:
    agreement = api.agreement(power_bank.service.public_id)
    one, other = (api.order(agreement, ceiling=100)["id"] for _ in range(2))
    api.post(f"orders/{one}/complete", {"total": 1}, **idempotency_header("k"))
    with assert_unchanged():
        assert_problem(
            api.post(f"orders/{other}/complete", {"total": 1}, **idempotency_header("k")), 422, "idempotency_key_reused"
        )
        assert_problem(
            api.post(f"orders/{one}/cancel", {"total": 1}, **idempotency_header("k")), 422, "idempotency_key_reused"
        )
        assert_problem(
            api.post(f"orders/{one}/collect", {"total": 1}, **idempotency_header("k")), 422, "idempotency_key_reused"
        )


def test_a_refusal_is_replayed_even_if_it_would_now_succeed(api: Api, power_bank: Shop) -> None:
    agreement = api.agreement(power_bank.service.public_id)
    order = api.order(agreement)["id"]
    first = assert_problem(
        api.post(f"orders/{order}/modify", {"total": 1, "reason": "x"}, **idempotency_header("k")), 409, "order_state"
    )
    api.post(f"orders/{order}/complete", {"total": 100})

    with assert_unchanged():
        again = api.post(f"orders/{order}/modify", {"total": 1, "reason": "x"}, **idempotency_header("k"))

    assert refused_bytes_differ_only_by_header(again, first["request_id"])
    assert again["Idempotent-Replayed"] == "true"


def refused_bytes_differ_only_by_header(response: object, request_id: str) -> bool:
    """A replayed refusal keeps the first request's id in its bytes, and has its own in the header."""
    body = response.json()  # type: ignore[attr-defined]
    return bool(body["request_id"] == request_id and body["code"] == "order_state")


def test_a_refused_assessment_is_decided_once(api: Api, power_bank: Shop) -> None:
    agreement = api.agreement(power_bank.service.public_id)
    for _ in range(20):
        api.order(agreement, ceiling=1)
    wish = order_body(agreement, ceiling=1)
    first = api.post("orders", wish, **idempotency_header("k"))
    with assert_unchanged():
        again = api.post("orders", wish, **idempotency_header("k"))

    assert assert_problem(first, 402, "order_refused")["reason"] == "too_many_orders"
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"


def test_a_transient_refusal_is_not_saved_and_the_key_may_retry(api: Api, power_bank: Shop) -> None:
    agreement = api.agreement(power_bank.service.public_id, api.person("slow"))
    order = api.order(agreement)["id"]
    api.post(f"orders/{order}/complete", {"total": 100})
    assert api.post(f"orders/{order}/collect").json()["collection"]["in_flight"]

    with assert_unchanged():
        for verb, body in (("cancel", {"reason": "x"}), ("collect", {})):
            refusal = api.post(f"orders/{order}/{verb}", body, **idempotency_header(verb))
            assert_problem(refusal, 409, "deduction_in_flight")
            assert refusal["Retry-After"] == "5"


def test_another_merchants_same_key_is_another_key(api: Api) -> None:
    other = Api(make_shop("云上小店"))

    mine, theirs = (who.post("services", UMBRELLA, **idempotency_header("k")) for who in (api, other))

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]
    assert "Idempotent-Replayed" not in theirs


def test_a_new_secret_of_the_same_merchant_reads_the_first_answer(api: Api, power_bank: Shop) -> None:
    first = api.post("services", UMBRELLA, **idempotency_header("k"))
    assert first.status_code == 201
    assert {row.scope for row in IdempotencyKey.objects.all()} == {power_bank.merchant.id}


@pytest.mark.parametrize("name", ["", "k" * 256, "k\u00e9", "密钥", "a\tb", "a\x7f", "\x00"])
def test_a_key_is_1_to_255_printable_ascii_characters(api: Api, name: str) -> None:
    with assert_unchanged():
        assert_problem(api.post("services", UMBRELLA, **idempotency_header(name)), 422, "invalid_request")


@pytest.mark.parametrize("name", ["k" * 255, " ", "a b", "'; DROP TABLE x; --", "~"])
def test_a_key_may_be_any_printable_ascii(api: Api, name: str) -> None:
    assert api.post("services", UMBRELLA, **idempotency_header(name)).status_code == 201
    assert api.post("services", UMBRELLA, **idempotency_header(name))["Idempotent-Replayed"] == "true"


def test_only_a_post_has_a_key(api: Api, power_bank: Shop) -> None:
    path = f"services/{power_bank.service.public_id}"
    api.patch(path, {"name": "一"}, **idempotency_header("k"))
    changed = api.patch(path, {"name": "二"}, **idempotency_header("k"))

    assert changed.json()["name"] == "二"
    assert "Idempotent-Replayed" not in api.get("services", **idempotency_header("k"))
    assert not IdempotencyKey.objects.exists()


def test_without_a_good_secret_no_answer_is_read_or_kept(api: Api) -> None:
    api.post("services", UMBRELLA, **idempotency_header("k"))
    with assert_unchanged():
        assert_problem(api.post("services", UMBRELLA, HTTP_AUTHORIZATION="Bearer x", **idempotency_header("k")), 401)
        assert_problem(api.post("services", UMBRELLA, HTTP_AUTHORIZATION="Bearer x", **idempotency_header("new")), 401)


@pytest.mark.django_db(transaction=True)
def test_a_concurrent_repeat_must_wait_and_is_not_saved(api: Api, power_bank: Shop) -> None:
    held = IdempotentRequest(power_bank.merchant.id, "k", "/v1/services", b"")
    other = connections.create_connection("default")
    try:
        with transaction.atomic():
            idempotency._lock_and_find(held)  # noqa: SLF001  a request that has not answered yet
            connections["default"], mine = other, connections["default"]
            with assert_unchanged():
                twin = api.post("services", UMBRELLA, **idempotency_header("k"))
            connections["default"] = mine
    finally:
        other.close()

    assert_problem(twin, 409, "request_in_progress")
    assert int(twin["Retry-After"]) >= 1
    assert api.post("services", UMBRELLA, **idempotency_header("k")).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_internal_errors_are_not_saved(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("merchants.services.catalog.record_change", lambda *_a, **_k: 1 / 0)
        with assert_unchanged():
            assert_problem(api.post("services", UMBRELLA, **idempotency_header("k")), 500, "internal_error")

    assert api.post("services", UMBRELLA, **idempotency_header("k")).status_code == 201
    assert Service.objects.filter(name="雨伞").count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_effect_is_rolled_back_if_its_answer_cannot_be_saved(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "_save_answer", lambda *_a: 1 / 0)
        with assert_unchanged():
            assert_problem(api.post("services", UMBRELLA, **idempotency_header("k")), 500, "internal_error")

    assert api.post("services", UMBRELLA, **idempotency_header("k")).status_code == 201
    assert Service.objects.filter(name="雨伞").count() == 1


def test_a_repeated_collect_does_not_charge_again(api: Api, power_bank: Shop) -> None:
    order = api.order(api.agreement(power_bank.service.public_id))["id"]
    api.post(f"orders/{order}/complete", {"total": 100})
    first = api.post(f"orders/{order}/collect", **idempotency_header("k"))
    with assert_unchanged():
        again = api.post(f"orders/{order}/collect", **idempotency_header("k"))

    assert first.json()["state"] == "deducted"
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert Order.objects.get().deducted_at is not None
    assert timedelta(0) <= Order.objects.get().deducted_at - Order.objects.get().created_at  # type: ignore[operator]
