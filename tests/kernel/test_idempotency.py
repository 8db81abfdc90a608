"""The same request again gets the first answer, byte for byte, and has no second effect."""

from datetime import timedelta

import pytest
from django.db import connections, transaction

from kernel import idempotency
from kernel.idempotency import Request
from kernel.models import IdempotencyKey
from merchants.models import Service
from orders.models import Order
from tests.api import Api, key, refused, wish_for
from tests.conftest import Shop, make_shop
from tests.stillness import nothing_moves

UMBRELLA = {"name": "雨伞", "mode": "dynamic", "ceiling": 9900}


@pytest.fixture
def api(power_bank: Shop) -> Api:
    return Api(power_bank)


def test_the_same_request_again_gets_the_same_bytes_and_makes_nothing(api: Api) -> None:
    first = api.post("services", UMBRELLA, **key("k"))
    with nothing_moves():
        again = api.post("services", UMBRELLA, **key("k"))

    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert again["Content-Type"] == first["Content-Type"]
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert again["Request-Id"] != first["Request-Id"]


def test_without_a_key_the_same_request_is_another_one(api: Api) -> None:
    names = {api.post("services", UMBRELLA).json()["id"] for _ in range(2)}
    assert len(names) == 2


def test_an_order_opened_again_under_its_key_is_answered_with_the_first_answer_not_as_it_is_now(
    api: Api, power_bank: Shop
) -> None:
    wish = wish_for(api.agreement(power_bank.service.public_id))
    first = api.post("orders", wish, **key("k"))
    api.post(f"orders/{first.json()['id']}/cancel", {"reason": "x"})

    again = api.post("orders", wish, **key("k"))

    assert (again.status_code, again.content) == (201, first.content)
    assert api.post("orders", wish).json()["state"] == "cancelled"


@pytest.mark.parametrize("other", [UMBRELLA | {"ceiling": 9901}, {}])
def test_the_key_with_another_body_is_refused(api: Api, other: dict[str, object]) -> None:
    api.post("services", UMBRELLA, **key("k"))
    with nothing_moves():
        refused(api.post("services", other, **key("k")), 422, "idempotency_key_reused")


def test_the_key_at_another_address_is_refused(api: Api, power_bank: Shop) -> None:
    agreement = api.agreement(power_bank.service.public_id)
    one, other = (api.order(agreement, ceiling=100)["id"] for _ in range(2))
    api.post(f"orders/{one}/complete", {"total": 1}, **key("k"))
    with nothing_moves():
        refused(api.post(f"orders/{other}/complete", {"total": 1}, **key("k")), 422, "idempotency_key_reused")
        refused(api.post(f"orders/{one}/cancel", {"total": 1}, **key("k")), 422, "idempotency_key_reused")
        refused(api.post(f"orders/{one}/collect", {"total": 1}, **key("k")), 422, "idempotency_key_reused")


def test_a_refusal_is_an_answer_and_is_given_again_even_when_it_would_now_go_well(api: Api, power_bank: Shop) -> None:
    agreement = api.agreement(power_bank.service.public_id)
    order = api.order(agreement)["id"]
    first = refused(api.post(f"orders/{order}/modify", {"total": 1, "reason": "x"}, **key("k")), 409, "order_state")
    api.post(f"orders/{order}/complete", {"total": 100})

    with nothing_moves():
        again = api.post(f"orders/{order}/modify", {"total": 1, "reason": "x"}, **key("k"))

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
    wish = wish_for(agreement, ceiling=1)
    first = api.post("orders", wish, **key("k"))
    with nothing_moves():
        again = api.post("orders", wish, **key("k"))

    assert refused(first, 402, "order_refused")["reason"] == "too_many_orders"
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"


def test_a_passing_refusal_is_not_kept_and_the_same_key_may_try_again(api: Api, power_bank: Shop) -> None:
    agreement = api.agreement(power_bank.service.public_id, api.person("slow"))
    order = api.order(agreement)["id"]
    api.post(f"orders/{order}/complete", {"total": 100})
    assert api.post(f"orders/{order}/collect").json()["collection"]["in_flight"]

    with nothing_moves():
        for verb, body in (("cancel", {"reason": "x"}), ("collect", {})):
            refusal = api.post(f"orders/{order}/{verb}", body, **key(verb))
            refused(refusal, 409, "deduction_in_flight")
            assert refusal["Retry-After"] == "5"


def test_another_merchants_same_key_is_another_key(api: Api) -> None:
    other = Api(make_shop("云上小店"))

    mine, theirs = (who.post("services", UMBRELLA, **key("k")) for who in (api, other))

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]
    assert "Idempotent-Replayed" not in theirs


def test_a_new_secret_of_the_same_merchant_reads_the_first_answer(api: Api, power_bank: Shop) -> None:
    first = api.post("services", UMBRELLA, **key("k"))
    assert first.status_code == 201
    assert {row.scope for row in IdempotencyKey.objects.all()} == {power_bank.merchant.id}


@pytest.mark.parametrize("name", ["", "k" * 256, "k\u00e9", "密钥", "a\tb", "a\x7f", "\x00"])
def test_a_key_is_1_to_255_printable_ascii_characters(api: Api, name: str) -> None:
    with nothing_moves():
        refused(api.post("services", UMBRELLA, **key(name)), 422, "invalid_request")


@pytest.mark.parametrize("name", ["k" * 255, " ", "a b", "'; DROP TABLE x; --", "~"])
def test_a_key_may_be_any_printable_ascii(api: Api, name: str) -> None:
    assert api.post("services", UMBRELLA, **key(name)).status_code == 201
    assert api.post("services", UMBRELLA, **key(name))["Idempotent-Replayed"] == "true"


def test_only_a_post_has_a_key(api: Api, power_bank: Shop) -> None:
    path = f"services/{power_bank.service.public_id}"
    api.patch(path, {"name": "一"}, **key("k"))
    changed = api.patch(path, {"name": "二"}, **key("k"))

    assert changed.json()["name"] == "二"
    assert "Idempotent-Replayed" not in api.get("services", **key("k"))
    assert not IdempotencyKey.objects.exists()


def test_without_a_good_secret_no_answer_is_read_or_kept(api: Api) -> None:
    api.post("services", UMBRELLA, **key("k"))
    with nothing_moves():
        refused(api.post("services", UMBRELLA, HTTP_AUTHORIZATION="Bearer x", **key("k")), 401)
        refused(api.post("services", UMBRELLA, HTTP_AUTHORIZATION="Bearer x", **key("new")), 401)


@pytest.mark.django_db(transaction=True)
def test_a_twin_still_running_is_told_to_wait_and_nothing_is_kept_of_that(api: Api, power_bank: Shop) -> None:
    held = Request(power_bank.merchant.id, "k", "/v1/services", b"")
    other = connections.create_connection("default")
    try:
        with transaction.atomic():
            idempotency._kept(held)  # noqa: SLF001  a request that has not answered yet
            connections["default"], mine = other, connections["default"]
            with nothing_moves():
                twin = api.post("services", UMBRELLA, **key("k"))
            connections["default"] = mine
    finally:
        other.close()

    refused(twin, 409, "request_in_progress")
    assert int(twin["Retry-After"]) >= 1
    assert api.post("services", UMBRELLA, **key("k")).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_what_failed_on_our_side_is_not_kept(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("merchants.services.tenant.note", lambda *_a, **_k: 1 / 0)
        with nothing_moves():
            refused(api.post("services", UMBRELLA, **key("k")), 500, "internal_error")

    assert api.post("services", UMBRELLA, **key("k")).status_code == 201
    assert Service.objects.filter(name="雨伞").count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_effect_whose_answer_cannot_be_kept_did_not_happen(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "_keep", lambda *_a: 1 / 0)
        with nothing_moves():
            refused(api.post("services", UMBRELLA, **key("k")), 500, "internal_error")

    assert api.post("services", UMBRELLA, **key("k")).status_code == 201
    assert Service.objects.filter(name="雨伞").count() == 1


def test_collecting_again_under_its_key_charges_nobody_again(api: Api, power_bank: Shop) -> None:
    order = api.order(api.agreement(power_bank.service.public_id))["id"]
    api.post(f"orders/{order}/complete", {"total": 100})
    first = api.post(f"orders/{order}/collect", **key("k"))
    with nothing_moves():
        again = api.post(f"orders/{order}/collect", **key("k"))

    assert first.json()["state"] == "deducted"
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert Order.objects.get().deducted_at is not None
    assert timedelta(0) <= Order.objects.get().deducted_at - Order.objects.get().created_at  # type: ignore[operator]
