"""R3, R4: the same request many times at once has one effect."""

from functools import partial

import pytest

from billing.models import Deduction
from credit.models import Decision
from kernel.models import IdempotencyKey
from merchants.models import Event, Service
from orders.models import Order
from tests.api import Api, assert_problem, idempotency_header, order_body
from tests.conftest import Shop
from tests.races.checks import rounds
from tests.threads import run_concurrently

TWINS = 20
pytestmark = pytest.mark.django_db(transaction=True)


def test_twenty_twins_under_one_key_have_one_effect_and_one_answer(power_bank: Shop) -> None:
    for turn in rounds(f"one key, the same request {TWINS} times"):
        umbrella = {"name": f"雨伞 {turn}", "mode": "dynamic", "ceiling": 9900}

        answers = run_concurrently(
            *[partial(Api(power_bank).post, "services", umbrella, **idempotency_header(f"k{turn}"))] * TWINS
        )

        done = [answer for answer in answers if answer.status_code == 201]
        told_to_wait = [answer for answer in answers if answer.status_code != 201]
        assert len({answer.content for answer in done}) == 1
        assert sum("Idempotent-Replayed" not in answer for answer in done) == 1
        for answer in told_to_wait:
            assert_problem(answer, 409, "request_in_progress")
            assert int(answer["Retry-After"]) >= 1
        assert Service.objects.filter(name=umbrella["name"]).count() == 1
        assert IdempotencyKey.objects.count() == turn
        assert Api(power_bank).post("services", umbrella, **idempotency_header(f"k{turn}")).content == done[0].content


def test_twenty_equal_orders_at_once_are_one_order(power_bank: Shop) -> None:
    api = Api(power_bank)
    agreement = api.agreement(power_bank.service.public_id)
    for turn in rounds(f"the same order {TWINS} times"):
        wish = order_body(agreement, ceiling=100)

        answers = run_concurrently(*(partial(Api(power_bank).post, "orders", wish) for _ in range(TWINS)))

        assert sorted(answer.status_code for answer in answers) == [200] * (TWINS - 1) + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert Order.objects.count() == turn
        assert Decision.objects.filter(occasion="order").count() == turn
        assert Event.objects.filter(type="order.opened").count() == turn
        api.post(f"orders/{answers[0].json()['id']}/cancel", {"reason": "x"})


def test_twenty_orders_under_one_number_that_differ_are_one_order_and_refusals(power_bank: Shop) -> None:
    api = Api(power_bank)
    agreement = api.agreement(power_bank.service.public_id)
    for _ in rounds(f"one number, {TWINS} orders"):
        wish = order_body(agreement)

        answers = run_concurrently(
            *(partial(Api(power_bank).post, "orders", wish | {"ceiling": 1 + n}) for n in range(TWINS))
        )

        won = [answer for answer in answers if answer.status_code == 201]
        assert len(won) == 1
        for answer in answers:
            if answer is not won[0]:
                assert_problem(answer, 409, "out_order_no_reused")
        assert Order.objects.get(out_order_no=wish["out_order_no"]).ceiling_minor == won[0].json()["ceiling"]
        api.post(f"orders/{won[0].json()['id']}/cancel", {"reason": "x"})


def test_a_refused_twin_and_its_twins_all_hear_the_same_refusal(power_bank: Shop) -> None:
    wish = order_body(Api(power_bank).agreement(power_bank.service.public_id), ceiling=9901)

    answers = run_concurrently(
        *(partial(Api(power_bank).post, "orders", wish, **idempotency_header("k")) for _ in range(TWINS))
    )

    kept = {answer.content for answer in answers if answer.status_code == 422}
    assert len(kept) == 1
    assert {answer.status_code for answer in answers} <= {422, 409}
    assert not Order.objects.exists()


def test_one_person_signs_two_agreements_of_one_service_at_once_and_opens_it_once(power_bank: Shop) -> None:
    api = Api(power_bank)
    person = api.person()
    body = {"service": power_bank.service.public_id, "person_ref": person["ref"]}
    asked = [api.post("agreements", body).json()["id"] for _ in range(6)]

    sign = [
        partial(Api(power_bank).post, f"sandbox/agreements/{name}/sign", {"person": person["id"]}) for name in asked
    ]
    answers = run_concurrently(*sign)

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5


def test_one_key_over_twenty_bodies_at_once_is_one_of_them_and_refusals(power_bank: Shop) -> None:
    for turn in rounds(f"one key, {TWINS} bodies"):
        calls = [
            partial(
                Api(power_bank).post,
                "services",
                {"name": f"雨伞 {turn}", "mode": "dynamic", "ceiling": 100 + n},
                **idempotency_header(f"b{turn}"),
            )
            for n in range(TWINS)
        ]

        answers = run_concurrently(*calls)

        won = [answer for answer in answers if answer.status_code == 201]
        assert len(won) == 1
        codes = {answer.json()["code"] for answer in answers if answer is not won[0]}
        assert codes <= {"request_in_progress", "idempotency_key_reused"}
        assert Service.objects.get(name=f"雨伞 {turn}").ceiling_minor == won[0].json()["ceiling"]


def test_one_key_at_two_addresses_at_once_does_one_of_both(power_bank: Shop) -> None:
    api = Api(power_bank)
    agreement = api.agreement(power_bank.service.public_id)
    for turn in rounds(f"one key, two addresses, {TWINS} calls"):
        order = api.order(agreement, ceiling=100)["id"]
        asked = [(f"orders/{order}/complete", {"total": 0}), (f"orders/{order}/cancel", {"reason": "x"})]

        answers = run_concurrently(
            *(partial(Api(power_bank).post, *asked[n % 2], **idempotency_header(f"a{turn}")) for n in range(TWINS)),
        )

        states = {answer.json()["state"] for answer in answers if answer.status_code == 200}
        codes = {answer.json()["code"] for answer in answers if answer.status_code != 200}
        assert len(states) == 1
        assert codes <= {"request_in_progress", "idempotency_key_reused"}
        assert Order.objects.get(out_order_no=api.get(f"orders/{order}").json()["out_order_no"]).state in states


def test_the_same_payment_twenty_times_under_one_key_at_once_takes_the_money_once(power_bank: Shop) -> None:
    """Paying calls the bank, so its response is stored after its transactions: a duplicate finds the key in use."""
    api = Api(power_bank)
    agreement = api.agreement(power_bank.service.public_id)
    for turn in rounds(f"one key, collect {TWINS} times"):
        order = api.order(agreement, ceiling=100)["id"]
        api.post(f"orders/{order}/complete", {"total": 100})

        answers = run_concurrently(
            *[partial(Api(power_bank).post, f"orders/{order}/collect", **idempotency_header(f"c{turn}"))] * TWINS
        )

        done = [answer for answer in answers if answer.status_code == 200]
        assert len({answer.content for answer in done}) == 1
        assert {answer.json()["code"] for answer in answers if answer not in done} <= {"request_in_progress"}
        assert done[0].json()["state"] == "deducted"
        assert Deduction.objects.filter(lines__order__out_order_no=done[0].json()["out_order_no"]).count() == 1
