"""Callbacks of channels: trusted only when signed, stored as received, applied once."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.test import Client

from billing import tasks
from billing.channels import bank
from billing.models import Callback, Case, Dispute, RefundPart
from billing.services import callbacks
from billing.services.callbacks import receive_callback
from billing.services.deduct import deduct_due
from kernel.models import Realm
from kernel.refusal import NotFound
from orders.models import Order
from tests.api import assert_problem
from tests.billing.helpers import balances, bank_debits_of, issue_refund, latest_deduction_of, paid_order
from tests.conftest import NOON, Shop, make_due_order, make_person, make_shop, state_of, yuan
from tests.unchanged import assert_unchanged, table_digests


@pytest.fixture
def order(power_bank: Shop) -> Order:
    """An order whose deduction was sent and got no answer, though the money was taken."""
    made = make_due_order(power_bank, make_person(power_bank, "slow"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    return made


def callback_body(order: Order, **other: Any) -> dict[str, Any]:
    row = latest_deduction_of(order)
    known = bank.look_up(row.number, at=NOON + timedelta(days=2))
    txn = getattr(known, "txn", "")
    return {"notify_id": "n-1", "number": row.number, "txn": txn, "amount": 600, "currency": "CNY"} | other


def send_callback(raw: bytes, signature: str | None = None, *, channel: str = "sandbox") -> Any:
    signed = bank.sign(raw) if signature is None else signature
    client = Client(enforce_csrf_checks=True)
    path = f"/channels/{channel}/callback"
    return client.post(path, raw, content_type="application/json", headers={"X-Signature": signed})


def test_a_signed_callback_settles_the_deduction_without_polling(order: Order, power_bank: Shop) -> None:
    raw = json.dumps(callback_body(order)).encode()
    response = send_callback(raw)

    assert (response.status_code, response.content) == (204, b"")
    assert state_of(order) == "deducted"
    assert bank_debits_of(order.person) == [yuan("6")]
    assert balances(power_bank)["clearing:sandbox"] == 600
    assert bytes(Callback.objects.get().raw) == raw


def test_the_same_callback_again_is_acknowledged_and_does_nothing(order: Order) -> None:
    raw = json.dumps(callback_body(order)).encode()
    send_callback(raw)
    with assert_unchanged():
        for _ in range(20):
            assert send_callback(raw).status_code == 204


def test_a_duplicate_result_under_another_id_is_only_evidence(order: Order) -> None:
    send_callback(json.dumps(callback_body(order)).encode())
    with assert_unchanged("billing_callback", "billing_channelreport"):
        assert send_callback(json.dumps(callback_body(order, notify_id="n-2")).encode()).status_code == 204
    assert not Case.objects.exists()


@pytest.mark.parametrize("signature", ["", "0" * 64, "x", "密", "0" * 8_192])
def test_an_unsigned_callback_is_not_parsed(order: Order, signature: str) -> None:
    with assert_unchanged():
        for raw in (json.dumps(callback_body(order)).encode(), b"", b"\xff", b"[" * 100_000):
            refused_callback(send_callback(raw, signature.encode().decode("latin-1")), 401, "bad_signature")


def refused_callback(response: Any, status: int, code: str) -> None:
    assert assert_problem(response, status, code)


def test_a_flipped_bit_fails_the_signature(order: Order) -> None:
    raw = json.dumps(callback_body(order)).encode()
    signature = bank.sign(raw)
    with assert_unchanged():
        for place in range(0, len(raw) * 8, 3):
            flipped = bytearray(raw)
            flipped[place // 8] ^= 1 << place % 8
            assert send_callback(bytes(flipped), signature).status_code == 401


def test_a_number_or_channel_we_never_used_is_not_found(order: Order) -> None:
    raw = json.dumps(callback_body(order, number=uuid4().hex)).encode()
    with assert_unchanged():
        assert_problem(send_callback(raw), 404, "not_found")
        assert_problem(send_callback(json.dumps(callback_body(order)).encode(), channel="wallet"), 404, "not_found")
        assert_problem(send_callback(json.dumps(callback_body(order)).encode(), channel="nobody"), 404, "not_found")
    with assert_unchanged(), pytest.raises(NotFound):
        receive_callback("nobody", raw, bank.sign(raw), real=NOON)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{}", 422),
        (b"[]", 400),
        (b"\xff\xfe", 400),
        (b"<xml/>", 400),
        (b"{" * 100_000, 400),
        (b'{"a":1,"a":2}', 400),
        (b'{"notify_id":1,"number":"","txn":"","amount":1,"currency":""}', 422),
        (b'{"notify_id":"n","number":"","txn":"","amount":1.0,"currency":""}', 422),
        (b'{"notify_id":"n","number":"nothing","txn":"","amount":1,"currency":"CNY"}', 400),
        (b'{"notify_id":"n\\u0000","number":"","txn":"","amount":1,"currency":"CNY"}', 422),
    ],
)
def test_signed_garbage_is_refused_as_a_problem_document(order: Order, raw: bytes, status: int) -> None:
    with assert_unchanged():
        assert_problem(send_callback(raw), status)


@pytest.mark.parametrize("other", [{"notify_id": "n" * 81}, {"txn": "t" * 65}, {"amount": -1}, {"currency": "X"}])
def test_a_signed_but_invalid_result_is_refused(order: Order, other: dict[str, object]) -> None:
    with assert_unchanged():
        assert 400 <= send_callback(json.dumps(callback_body(order, **other)).encode()).status_code < 500


@pytest.mark.parametrize(
    ("other", "status", "found"),
    [
        ({"amount": 0}, 422, None),
        ({"amount": -600}, 422, None),
        ({"amount": 2**63}, 422, None),
        ({"txn": ""}, 422, None),
        ({"txn": "t" * 65}, 400, None),
        ({"currency": "XXX"}, 204, "taken_back_wrong_amount"),
        ({"taken_back": "x" * 60_000}, 204, "x" * 40),
        ({"taken_back": "钱🔋\u202e退"}, 204, "钱🔋\u202e退"),
        ({"number": "of a refund"}, 404, None),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.breaks_invariants  # the bank never took that back
def test_a_signed_return_is_recorded_or_refused_for_any_content(
    power_bank: Shop, other: dict[str, Any], status: int, found: str | None
) -> None:
    order = paid_order(power_bank)
    issue_refund(order, "2")
    body = {"taken_back": "no_funds", "txn": "b-1", "amount": 400} | other
    if "number" in other:
        body["number"] = RefundPart.objects.get().number
    before = table_digests()
    assert send_callback(json.dumps(callback_body(order, **body)).encode()).status_code == status
    assert (table_digests() == before) is (found is None)
    assert [*Case.objects.values_list("kind", flat=True), *Dispute.objects.values_list("code", flat=True)] == (
        [found] if found else []
    )


@pytest.mark.breaks_invariants  # the bank never took that much
def test_a_wrong_amount_opens_a_case_and_settles_nothing(order: Order, power_bank: Shop) -> None:
    assert send_callback(json.dumps(callback_body(order, amount=601)).encode()).status_code == 204

    assert (state_of(order), latest_deduction_of(order).state) == ("completed", "unknown")
    assert Case.objects.get().kind == "wrong_amount"
    assert balances(power_bank)["suspense"] == 601


def test_only_a_post_is_a_callback(order: Order) -> None:
    with assert_unchanged():
        for method in ("GET", "PUT", "DELETE", "HEAD"):
            response = Client().generic(method, "/channels/sandbox/callback")
            assert (response.status_code, response["Allow"]) == (405, "POST")


def test_a_failing_callback_does_not_block_the_others(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [make_due_order(power_bank, make_person(power_bank, "late_callback"), yuan("6")) for _ in range(3)]
    deduct_due(power_bank.realm_id, at=NOON)
    realm = Realm(id=power_bank.realm_id, mode="test", frozen_at=NOON + timedelta(days=1))
    settled = callbacks.settle_all
    poison = latest_deduction_of(made[0]).id

    def settle(reports: Any, **how: Any) -> None:
        if any(report.deduction_id == poison for report in reports):
            raise RuntimeError("it cannot be settled")
        settled(reports, **how)

    monkeypatch.setattr(callbacks, "settle_all", settle)
    assert callbacks.deliver_realm_callbacks(realm, real=realm.frozen_at) == 3
    assert [state_of(order) for order in made] == ["completed", "deducted", "deducted"]

    monkeypatch.setattr(callbacks, "settle_all", settled)
    assert callbacks.deliver_realm_callbacks(realm, real=realm.frozen_at) == 1
    assert state_of(made[0]) == "deducted"


def order_with_callback(name: str) -> tuple[Order, Realm]:
    """An order whose sandbox bank has a callback due, and its realm."""
    shop = make_shop(name)
    made = make_due_order(shop, make_person(shop, "late_callback"), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    return made, Realm.objects.get(pk=shop.realm_id)


def test_callbacks_are_delivered_where_due_and_errors_stay_in_their_sandbox(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_shop("无事")
    made = [order_with_callback(name) for name in ("甲", "乙", "丙", "丁")]
    Realm.objects.filter(pk=made[3][1].id).update(clock_offset=timedelta(days=-400))  # nothing is due there yet
    broken, seen, real = made[0][1].id, list[str](), bank.due_callbacks

    def due(like: str, **how: Any) -> Any:
        seen.append(like)
        if like == f"{broken}:":
            raise OperationalError
        return real(like, **how)

    monkeypatch.setattr(bank, "due_callbacks", due)
    tasks.deliver_sandbox_callbacks()
    assert sorted(seen) == sorted(f"{realm.id}:" for _, realm in made[:3])
    assert [state_of(order) for order, _ in made] == ["completed", "deducted", "deducted", "completed"]


def test_callback_delivery_stops_within_its_time_budget(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [order_with_callback(name)[0] for name in ("甲", "乙", "丙")]
    ticks = iter(range(0, 1000, 6))
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: float(next(ticks)))
    tasks.deliver_sandbox_callbacks()
    assert sorted(state_of(order) for order in orders) == ["completed", "completed", "deducted"]
