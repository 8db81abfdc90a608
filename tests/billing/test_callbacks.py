"""A channel calls back: believed only when signed, kept as it came, acted on once."""

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
from billing.services.callbacks import receive
from billing.services.deduct import deduct_due
from kernel.models import Realm
from kernel.refusal import NotFound
from orders.models import Order
from tests.api import refused
from tests.billing.bench import balances, deduction_of, give_back, paid, taken_from
from tests.conftest import NOON, Shop, completed, make_shop, someone, state_of, yuan
from tests.stillness import contents, nothing_moves


@pytest.fixture
def order(power_bank: Shop) -> Order:
    """Its deduction went out and no answer came; the money was taken."""
    made = completed(power_bank, someone(power_bank, "slow"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    return made


def note(order: Order, **other: Any) -> dict[str, Any]:
    row = deduction_of(order)
    known = bank.look_up(row.number, at=NOON + timedelta(days=2))
    txn = getattr(known, "txn", "")
    return {"notify_id": "n-1", "number": row.number, "txn": txn, "amount": 600, "currency": "CNY"} | other


def knock(raw: bytes, signature: str | None = None, *, channel: str = "sandbox") -> Any:
    signed = bank.sign(raw) if signature is None else signature
    client = Client(enforce_csrf_checks=True)
    path = f"/channels/{channel}/callback"
    return client.post(path, raw, content_type="application/json", headers={"X-Signature": signed})


def test_a_signed_callback_settles_the_deduction_with_nobody_asking(order: Order, power_bank: Shop) -> None:
    raw = json.dumps(note(order)).encode()
    response = knock(raw)

    assert (response.status_code, response.content) == (204, b"")
    assert state_of(order) == "deducted"
    assert taken_from(order.person) == [yuan("6")]
    assert balances(power_bank)["clearing:sandbox"] == 600
    assert bytes(Callback.objects.get().raw) == raw


def test_the_same_callback_again_is_acknowledged_and_does_nothing(order: Order) -> None:
    raw = json.dumps(note(order)).encode()
    knock(raw)
    with nothing_moves():
        for _ in range(20):
            assert knock(raw).status_code == 204


def test_the_same_news_under_another_name_is_evidence_and_nothing_more(order: Order) -> None:
    knock(json.dumps(note(order)).encode())
    with nothing_moves("billing_callback", "billing_channelreport"):
        assert knock(json.dumps(note(order, notify_id="n-2")).encode()).status_code == 204
    assert not Case.objects.exists()


@pytest.mark.parametrize("signature", ["", "0" * 64, "x", "密", "0" * 8_192])
def test_what_the_channel_did_not_sign_is_not_even_read(order: Order, signature: str) -> None:
    with nothing_moves():
        for raw in (json.dumps(note(order)).encode(), b"", b"\xff", b"[" * 100_000):
            refused_callback(knock(raw, signature.encode().decode("latin-1")), 401, "bad_signature")


def refused_callback(response: Any, status: int, code: str) -> None:
    assert refused(response, status, code)


def test_one_flipped_bit_is_not_what_was_signed(order: Order) -> None:
    raw = json.dumps(note(order)).encode()
    signature = bank.sign(raw)
    with nothing_moves():
        for place in range(0, len(raw) * 8, 3):
            flipped = bytearray(raw)
            flipped[place // 8] ^= 1 << place % 8
            assert knock(bytes(flipped), signature).status_code == 401


def test_a_number_or_channel_we_never_used_is_not_found(order: Order) -> None:
    raw = json.dumps(note(order, number=uuid4().hex)).encode()
    with nothing_moves():
        refused(knock(raw), 404, "not_found")
        refused(knock(json.dumps(note(order)).encode(), channel="wallet"), 404, "not_found")
        refused(knock(json.dumps(note(order)).encode(), channel="nobody"), 404, "not_found")
    with nothing_moves(), pytest.raises(NotFound):
        receive("nobody", raw, bank.sign(raw), real=NOON)


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
def test_signed_garbage_is_refused_in_the_one_shape(order: Order, raw: bytes, status: int) -> None:
    with nothing_moves():
        refused(knock(raw), status)


@pytest.mark.parametrize("other", [{"notify_id": "n" * 81}, {"txn": "t" * 65}, {"amount": -1}, {"currency": "X"}])
def test_signed_news_that_cannot_be_is_refused_and_settles_nothing(order: Order, other: dict[str, object]) -> None:
    with nothing_moves():
        assert 400 <= knock(json.dumps(note(order, **other)).encode()).status_code < 500


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
@pytest.mark.breaks_the_house  # the bank never took that back
def test_a_signed_word_that_it_was_taken_back_is_noted_or_refused_whatever_it_says(
    power_bank: Shop, other: dict[str, Any], status: int, found: str | None
) -> None:
    order = paid(power_bank)
    give_back(order, "2")
    body = {"taken_back": "no_funds", "txn": "b-1", "amount": 400} | other
    if "number" in other:
        body["number"] = RefundPart.objects.get().number
    before = contents()
    assert knock(json.dumps(note(order, **body)).encode()).status_code == status
    assert (contents() == before) is (found is None)
    assert [*Case.objects.values_list("kind", flat=True), *Dispute.objects.values_list("code", flat=True)] == (
        [found] if found else []
    )


@pytest.mark.breaks_the_house  # the bank never took that much
def test_another_amount_is_kept_as_a_case_and_settles_nothing(order: Order, power_bank: Shop) -> None:
    assert knock(json.dumps(note(order, amount=601)).encode()).status_code == 204

    assert (state_of(order), deduction_of(order).state) == ("completed", "unknown")
    assert Case.objects.get().kind == "wrong_amount"
    assert balances(power_bank)["suspense"] == 601


def test_only_a_post_is_a_callback(order: Order) -> None:
    with nothing_moves():
        for method in ("GET", "PUT", "DELETE", "HEAD"):
            response = Client().generic(method, "/channels/sandbox/callback")
            assert (response.status_code, response["Allow"]) == (405, "POST")


def test_a_callback_that_is_not_taken_in_keeps_nobody_else_waiting(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [completed(power_bank, someone(power_bank, "late_callback"), yuan("6")) for _ in range(3)]
    deduct_due(power_bank.realm_id, at=NOON)
    realm = Realm(id=power_bank.realm_id, mode="test", frozen_at=NOON + timedelta(days=1))
    settled = callbacks.settle_all
    poison = deduction_of(made[0]).id

    def settle(reports: Any, **how: Any) -> None:
        if any(report.deduction_id == poison for report in reports):
            raise RuntimeError("it cannot be settled")
        settled(reports, **how)

    monkeypatch.setattr(callbacks, "settle_all", settle)
    assert callbacks.deliver_sandbox_callbacks(realm, real=realm.frozen_at) == 3
    assert [state_of(order) for order in made] == ["completed", "deducted", "deducted"]

    monkeypatch.setattr(callbacks, "settle_all", settled)
    assert callbacks.deliver_sandbox_callbacks(realm, real=realm.frozen_at) == 1
    assert state_of(made[0]) == "deducted"


def calls_back(name: str) -> tuple[Order, Realm]:
    """A sandbox whose bank has something to say, and what it is about."""
    shop = make_shop(name)
    made = completed(shop, someone(shop, "late_callback"), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    return made, Realm.objects.get(pk=shop.realm_id)


def test_the_postman_goes_where_something_is_due_and_trouble_in_one_is_not_the_others(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_shop("无事")
    made = [calls_back(name) for name in ("甲", "乙", "丙", "丁")]
    Realm.objects.filter(pk=made[3][1].id).update(clock_offset=timedelta(days=-400))  # nothing is due there yet
    broken, seen, real = made[0][1].id, list[str](), bank.callbacks_due

    def due(like: str, **how: Any) -> Any:
        seen.append(like)
        if like == f"{broken}:":
            raise OperationalError
        return real(like, **how)

    monkeypatch.setattr(bank, "callbacks_due", due)
    tasks.deliver_sandbox_callbacks()
    assert sorted(seen) == sorted(f"{realm.id}:" for _, realm in made[:3])
    assert [state_of(order) for order, _ in made] == ["completed", "deducted", "deducted", "completed"]


def test_the_postman_comes_home_when_the_time_is_up(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [calls_back(name)[0] for name in ("甲", "乙", "丙")]
    ticks = iter(range(0, 1000, 6))
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: float(next(ticks)))
    tasks.deliver_sandbox_callbacks()
    assert sorted(state_of(order) for order in orders) == ["completed", "completed", "deducted"]
