"""A merchant makes the sandbox's bank return a debit, and sees the dispute in the API and events."""

from billing.models import Dispute
from merchants.models import Event
from tests.api import Api
from tests.billing.helpers import paid_order
from tests.conftest import Shop, make_due_order, make_person, yuan
from tests.unchanged import assert_unchanged


def test_a_debit_bounces_and_the_order_is_overdue(power_bank: Shop) -> None:
    order, api = paid_order(power_bank), Api(power_bank)
    answer = api.post(f"sandbox/orders/{order.public_id}/take_back", {"code": "no_funds"})
    assert (answer.status_code, answer.json()["state"]) == (200, "overdue"), answer.content
    told = Event.objects.filter(subject_id=order.id, type="dispute.lost").get()
    assert (told.data["bearer"], told.data["amount"]) == ("person", 600)
    with assert_unchanged("kernel_idempotencykey"):
        again = api.post(f"sandbox/orders/{order.public_id}/take_back", {"code": "no_funds"})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_take_back")


def test_a_dispute_waits_for_an_answer_and_what_was_never_taken_is_not_taken_back(power_bank: Shop) -> None:
    order, api = paid_order(power_bank), Api(power_bank)
    answer = api.post(f"sandbox/orders/{order.public_id}/take_back", {"code": "not_received"})
    assert (answer.json()["state"], Dispute.objects.get().state) == ("deducted", "open")
    owing = make_due_order(power_bank, make_person(power_bank), yuan("3"))
    for body, code in (({"code": "no_funds"}, "nothing_to_take_back"), ({"code": "x"}, "invalid_request"), ({}, None)):
        refused = api.post(f"sandbox/orders/{owing.public_id}/take_back", body)
        assert refused.json()["code"] == (code or "invalid_request")
