"""Requests with external calls that are interrupted after their effect: a retry under the key has no second effect."""

from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.db.models.functions import Now
from django.http import HttpResponse

from billing.channels import bank_disputes
from billing.models import Deduction, Dispute, Refund
from billing.services import pay, refunds, sandbox_disputes
from billing.services.callbacks import deliver_callbacks
from kernel.idempotency import (
    RUNNING,
    RUNNING_MAX,
    IdempotentRequest,
    StillRunning,
    run_once_external,
    save_provisional_answer,
)
from kernel.models import IdempotencyKey, Realm
from kernel.refusal import Refusal
from merchants.models import WebhookEndpoint
from merchants.services import endpoints
from tests.api import Api, assert_problem, idempotency_header
from tests.billing.helpers import paid_order, token_of
from tests.conftest import NOON, Shop, make_due_order, make_person, yuan

pytestmark = pytest.mark.django_db(transaction=True)
HOOK = {"url": "http://127.0.0.1:9/hook"}
BACK = {"amount": 200, "reason": "少了一件"}


@pytest.fixture
def api(power_bank: Shop) -> Api:
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=NOON)
    return Api(power_bank)


class KilledError(BaseException):
    """Simulates the death of the process."""


def test_money_goes_back_once_though_what_sends_it_broke_down(
    api: Api, power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid_order(power_bank)
    ask = partial(api.post, f"orders/{order.public_id}/refunds", BACK, **idempotency_header("back"))
    with monkeypatch.context() as broken:
        broken.setattr(refunds, "send_parts", _breaks(OperationalError("the server closed the connection")))
        assert_problem(ask(), 503, "unavailable")
    again = ask()
    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert (again.json()["state"], again.json()["id"]) == ("pending", Refund.objects.get().public_id)
    assert ask().content == again.content


def test_money_goes_back_once_though_who_sent_it_was_killed(
    api: Api, power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid_order(power_bank)
    ask = partial(api.post, f"orders/{order.public_id}/refunds", BACK, **idempotency_header("back"))
    with monkeypatch.context() as killed:
        killed.setattr(refunds, "send_parts", _breaks(KilledError()))
        killed.setattr("kernel.idempotency.release", _breaks(KilledError()))
        with pytest.raises(KilledError):
            ask()
    assert_problem(ask(), 409, "request_in_progress")
    IdempotencyKey.objects.filter(status=RUNNING).update(created_at=Now() - 2 * RUNNING_MAX)
    again = ask()
    assert (again.status_code, again.json()["id"]) == (201, Refund.objects.get().public_id)
    assert again["Idempotent-Replayed"] == "true"


def _breaks(error: BaseException) -> Any:
    def broken(*_args: Any, **_how: Any) -> Any:
        raise error

    return broken


def test_an_endpoint_is_made_once_and_its_secret_is_told_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    made, ask = endpoints.add_endpoint, partial(api.post, "webhook_endpoints", HOOK, **idempotency_header("hook"))
    with monkeypatch.context() as broken:
        broken.setattr("merchants.services.add_endpoint", _breaks_after(made))
        assert_problem(ask(), 500, "internal_error")
    again = ask().json()
    endpoint = WebhookEndpoint.objects.get()
    assert (again["id"], again["secret"]) == (endpoint.public_id, endpoint.reveal_secret())


@pytest.mark.parametrize(("path", "body"), [("orders/{}/collect", {}), ("sandbox/orders/{}/pay", {"amount": 200})])
def test_money_is_asked_for_once(
    api: Api, power_bank: Shop, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, int]
) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    ask = partial(api.post, path.format(order.public_id), body, **idempotency_header("money"))
    with monkeypatch.context() as broken:
        broken.setattr("billing.services.pay._charge_and_reload", _breaks_after(pay._charge_and_reload))  # noqa: SLF001
        assert_problem(ask(), 500, "internal_error")
    again = ask()
    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert again.json()["collection"]["in_flight"]
    assert Deduction.objects.count() == 1


def test_a_debit_is_taken_back_once_whatever_was_collected_meanwhile(
    api: Api, power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid_order(power_bank)
    ask = partial(
        api.post, f"sandbox/orders/{order.public_id}/take_back", {"code": "no_funds"}, **idempotency_header("back")
    )
    with monkeypatch.context() as killed:
        killed.setattr(sandbox_disputes, "deliver_callbacks", _breaks(KilledError()))
        with pytest.raises(KilledError):
            ask()
    deliver_callbacks(power_bank.realm_id, at=NOON)
    paid_again = api.post(f"sandbox/orders/{order.public_id}/pay", {}).json()
    assert paid_again["outstanding"] == 0
    answer = ask()
    assert (answer.status_code, answer.json()["outstanding"]) == (200, 0)
    assert Dispute.objects.count() == 1
    assert len(bank_disputes.reversals_of(token_of(order))) == 1
    assert ask().content == answer.content
    assert (
        api.post(
            f"sandbox/orders/{order.public_id}/take_back", {"code": "no_funds"}, **idempotency_header("more")
        ).status_code
        == 200
    )
    assert Dispute.objects.count() == 2


def test_the_sandbox_clock_advances_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = partial(api.post, "sandbox/clock/advance", {"by": "P1D"}, **idempotency_header("on"))
    with monkeypatch.context() as broken:
        broken.setattr("billing.services.sandbox_clock._count_events", _breaks_after(lambda *_: {}))
        assert_problem(ask(), 500, "internal_error")
    again = ask()
    assert (again.status_code, again.json()["done"], again.json()["to"]) == (202, False, "2026-11-21T04:00:00Z")
    assert api.get("sandbox/clock").json()["now"] == "2026-11-21T04:00:00Z"


def test_a_request_whose_key_was_taken_over_does_nothing(power_bank: Shop) -> None:
    """The lock was considered stale and taken over: the first owner must not act any more."""
    asked, acted = IdempotentRequest(power_bank.merchant.id, "k", "/v1/x", b""), []

    def slow() -> HttpResponse:
        IdempotencyKey.objects.update(created_at=Now() - 2 * RUNNING_MAX)
        twin = run_once_external(asked, partial(_act, asked, acted, b"twin"), problem)
        assert twin.content == b"twin"
        return _act(asked, acted, b"slow")

    with pytest.raises(StillRunning):
        run_once_external(asked, slow, problem)
    assert acted == [b"twin"]
    assert run_once_external(asked, slow, problem).content == b"twin"


def _act(asked: IdempotentRequest, acted: list[bytes], body: bytes) -> HttpResponse:
    answer = HttpResponse(body)
    with transaction.atomic():
        save_provisional_answer(asked, answer)
        acted.append(body)
    return answer


def problem(refusal: Refusal) -> HttpResponse:
    raise refusal


def _breaks_after(act: Any) -> Any:
    def broken(*args: Any, **how: Any) -> Any:
        act(*args, **how)
        raise RuntimeError("nobody thought of it")

    return broken
