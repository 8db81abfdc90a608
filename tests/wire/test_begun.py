"""A verb that asks the world outside is broken off after its effect: under its key nothing is done a second time."""

from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.db.models.functions import Now
from django.http import HttpResponse

from billing.channels import bank_returns
from billing.models import Deduction, Dispute, Refund
from billing.services import pay, refund, sandbox_returns
from billing.services.callbacks import deliver_callbacks
from kernel.idempotency import RUNNING, RUNNING_MAX, Request, StillRunning, begin, once_outside
from kernel.models import IdempotencyKey, Realm
from kernel.refusal import Refusal
from merchants.models import WebhookEndpoint
from merchants.services import endpoints
from tests.api import Api, key, refused
from tests.billing.bench import paid, token_of
from tests.conftest import NOON, Shop, completed, someone, yuan

pytestmark = pytest.mark.django_db(transaction=True)
HOOK = {"url": "http://127.0.0.1:9/hook"}
BACK = {"amount": 200, "reason": "少了一件"}


@pytest.fixture
def api(power_bank: Shop) -> Api:
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=NOON)
    return Api(power_bank)


class KilledError(BaseException):
    """The process ends here, and nothing of it is done any more."""


def test_money_goes_back_once_though_what_sends_it_broke_down(
    api: Api, power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid(power_bank)
    ask = partial(api.post, f"orders/{order.public_id}/refunds", BACK, **key("back"))
    with monkeypatch.context() as broken:
        broken.setattr(refund, "send_parts", _breaks(OperationalError("the server closed the connection")))
        refused(ask(), 503, "unavailable")
    again = ask()
    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert (again.json()["state"], again.json()["id"]) == ("pending", Refund.objects.get().public_id)
    assert ask().content == again.content


def test_money_goes_back_once_though_who_sent_it_was_killed(
    api: Api, power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid(power_bank)
    ask = partial(api.post, f"orders/{order.public_id}/refunds", BACK, **key("back"))
    with monkeypatch.context() as killed:
        killed.setattr(refund, "send_parts", _breaks(KilledError()))
        killed.setattr("kernel.idempotency.let_go", _breaks(KilledError()))
        with pytest.raises(KilledError):
            ask()
    refused(ask(), 409, "request_in_progress")
    IdempotencyKey.objects.filter(status=RUNNING).update(created_at=Now() - 2 * RUNNING_MAX)
    again = ask()
    assert (again.status_code, again.json()["id"]) == (201, Refund.objects.get().public_id)
    assert again["Idempotent-Replayed"] == "true"


def _breaks(error: BaseException) -> Any:
    def broken(*_args: Any, **_how: Any) -> Any:
        raise error

    return broken


def test_an_endpoint_is_made_once_and_its_secret_is_told_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    made, ask = endpoints.add_endpoint, partial(api.post, "webhook_endpoints", HOOK, **key("hook"))
    with monkeypatch.context() as broken:
        broken.setattr("merchants.services.add_endpoint", _breaks_after(made))
        refused(ask(), 500, "internal_error")
    again = ask().json()
    endpoint = WebhookEndpoint.objects.get()
    assert (again["id"], again["secret"]) == (endpoint.public_id, endpoint.reveal_secret())


@pytest.mark.parametrize(("path", "body"), [("orders/{}/collect", {}), ("sandbox/orders/{}/pay", {"amount": 200})])
def test_money_is_asked_for_once(
    api: Api, power_bank: Shop, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, int]
) -> None:
    order = completed(power_bank, someone(power_bank), yuan("6"))
    ask = partial(api.post, path.format(order.public_id), body, **key("money"))
    with monkeypatch.context() as broken:
        broken.setattr("billing.services.pay._charged", _breaks_after(pay._charged))  # noqa: SLF001
        refused(ask(), 500, "internal_error")
    again = ask()
    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert again.json()["collection"]["in_flight"]
    assert Deduction.objects.count() == 1


def test_a_debit_is_taken_back_once_whatever_was_collected_meanwhile(
    api: Api, power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid(power_bank)
    ask = partial(api.post, f"sandbox/orders/{order.public_id}/take_back", {"code": "no_funds"}, **key("back"))
    with monkeypatch.context() as killed:
        killed.setattr(sandbox_returns, "deliver_callbacks", _breaks(KilledError()))
        with pytest.raises(KilledError):
            ask()
    deliver_callbacks(power_bank.realm_id, at=NOON)
    paid_again = api.post(f"sandbox/orders/{order.public_id}/pay", {}).json()
    assert paid_again["outstanding"] == 0
    answer = ask()
    assert (answer.status_code, answer.json()["outstanding"]) == (200, 0)
    assert Dispute.objects.count() == 1
    assert len(bank_returns.returns_of(token_of(order))) == 1
    assert ask().content == answer.content
    assert (
        api.post(f"sandbox/orders/{order.public_id}/take_back", {"code": "no_funds"}, **key("more")).status_code == 200
    )
    assert Dispute.objects.count() == 2


def test_time_passes_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = partial(api.post, "sandbox/clock/advance", {"by": "P1D"}, **key("on"))
    with monkeypatch.context() as broken:
        broken.setattr("billing.services.clock._told", _breaks_after(lambda *_: {}))
        refused(ask(), 500, "internal_error")
    again = ask()
    assert (again.status_code, again.json()["done"], again.json()["to"]) == (202, False, "2026-11-21T04:00:00Z")
    assert api.get("sandbox/clock").json()["now"] == "2026-11-21T04:00:00Z"


def test_who_comes_back_when_another_has_begun_does_nothing(power_bank: Shop) -> None:
    """The mark was believed dead, and somebody else has it: whoever made it first must not act any more."""
    asked, acted = Request(power_bank.merchant.id, "k", "/v1/x", b""), []

    def slow() -> HttpResponse:
        IdempotencyKey.objects.update(created_at=Now() - 2 * RUNNING_MAX)
        twin = once_outside(asked, partial(_act, asked, acted, b"twin"), problem)
        assert twin.content == b"twin"
        return _act(asked, acted, b"slow")

    with pytest.raises(StillRunning):
        once_outside(asked, slow, problem)
    assert acted == [b"twin"]
    assert once_outside(asked, slow, problem).content == b"twin"


def _act(asked: Request, acted: list[bytes], body: bytes) -> HttpResponse:
    answer = HttpResponse(body)
    with transaction.atomic():
        begin(asked, answer)
        acted.append(body)
    return answer


def problem(refusal: Refusal) -> HttpResponse:
    raise refusal


def _breaks_after(act: Any) -> Any:
    def broken(*args: Any, **how: Any) -> Any:
        act(*args, **how)
        raise RuntimeError("nobody thought of it")

    return broken
