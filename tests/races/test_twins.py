"""R3, R4: the same request many times at once has one effect."""

from functools import partial

import pytest

from credit.models import Decision
from kernel.models import IdempotencyKey
from merchants.models import Event, Service
from orders.models import Order
from tests.api import Api, key, refused, wish_for
from tests.conftest import Shop
from tests.threads import at_once

TWINS = 20
pytestmark = pytest.mark.django_db(transaction=True)


def test_twenty_twins_under_one_key_have_one_effect_and_one_answer(power_bank: Shop) -> None:
    umbrella = {"name": "雨伞", "mode": "dynamic", "ceiling": 9900}
    calls = [partial(Api(power_bank).post, "services", umbrella, **key("k")) for _ in range(TWINS)]

    answers = at_once(*calls)

    done = [answer for answer in answers if answer.status_code == 201]
    told_to_wait = [answer for answer in answers if answer.status_code != 201]
    assert len({answer.content for answer in done}) == 1
    assert sum("Idempotent-Replayed" not in answer for answer in done) == 1
    for answer in told_to_wait:
        refused(answer, 409, "request_in_progress")
        assert int(answer["Retry-After"]) >= 1
    assert Service.objects.filter(name="雨伞").count() == 1
    assert IdempotencyKey.objects.count() == 1
    assert Api(power_bank).post("services", umbrella, **key("k")).content == done[0].content


def test_twenty_equal_orders_at_once_are_one_order(power_bank: Shop) -> None:
    api = Api(power_bank)
    wish = wish_for(api.agreement(power_bank.service.public_id), ceiling=100)

    answers = at_once(*(partial(Api(power_bank).post, "orders", wish) for _ in range(TWINS)))

    assert sorted(answer.status_code for answer in answers) == [200] * (TWINS - 1) + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Order.objects.count() == 1
    assert Decision.objects.filter(occasion="order").count() == 1
    assert Event.objects.filter(type="order.opened").count() == 1


def test_twenty_orders_under_one_number_that_differ_are_one_order_and_refusals(power_bank: Shop) -> None:
    api = Api(power_bank)
    wish = wish_for(api.agreement(power_bank.service.public_id))

    answers = at_once(*(partial(Api(power_bank).post, "orders", wish | {"ceiling": 1 + n}) for n in range(TWINS)))

    won = [answer for answer in answers if answer.status_code == 201]
    assert len(won) == 1
    for answer in answers:
        if answer is not won[0]:
            refused(answer, 409, "out_order_no_reused")
    assert Order.objects.get().ceiling_minor == won[0].json()["ceiling"]


def test_a_refused_twin_and_its_twins_all_hear_the_same_refusal(power_bank: Shop) -> None:
    wish = wish_for(Api(power_bank).agreement(power_bank.service.public_id), ceiling=9901)

    answers = at_once(*(partial(Api(power_bank).post, "orders", wish, **key("k")) for _ in range(TWINS)))

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
    answers = at_once(*sign)

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
