"""Guarantees of the API: times in UTC, errors that name the field, and no input that is ignored."""

import json
import re
from typing import Any

import pytest

from accounts.models import Person
from bnpl.api_urls import render_openapi
from merchants import webhook_sender
from tests.api import Api, assert_problem, idempotency_header, order_body
from tests.browsing import client_for
from tests.conftest import Shop, make_shop

HAN = re.compile("[㐀-鿿]")
ELSEWHERE = re.compile(r"\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d")
NOWHERE = [
    "https://",
    "https://a b/c",
    "https://x\r\nSet-Cookie: a=1",
    "https://user:pw@x/",
    "https://[::1",
    "ftp://x/",
]


@pytest.fixture
def api(power_bank: Shop) -> Api:
    api = Api(power_bank)
    api.call("PUT", "sandbox/clock", {"mode": "frozen", "now": "2027-01-01T00:00:00Z"})
    return api


@pytest.fixture
def agreement(api: Api, power_bank: Shop) -> str:
    return api.agreement(power_bank.service.public_id)


def done(api: Api, agreement: str, total: int = 600) -> str:
    order: str = api.order(agreement, ceiling=1000)["id"]
    api.post(f"orders/{order}/complete", {"total": total})
    return order


def types(api: Api, order: str) -> list[str]:
    return [event["type"] for event in api.get(f"orders/{order}/events").json()["data"]]


def test_times_are_answered_and_kept_in_utc_whatever_they_were_asked_in(api: Api, agreement: str) -> None:
    order = api.order(agreement, ceiling=1000)["id"]
    later = {"total": 600, "due_at": "2027-01-03T00:00:00+08:00", "ends_at": "2027-01-01T07:59:00+08:00"}
    for answer in (
        api.call("PUT", "sandbox/clock", {"mode": "frozen", "now": "2027-01-01T09:00:00+08:00"}),
        api.post(f"orders/{order}/complete", later),
        api.post("sandbox/clock/advance", {"to": "2027-01-02T00:00:00+08:00"}),
        api.get(f"orders/{order}/events"),
    ):
        assert answer.status_code == 200
        assert not ELSEWHERE.search(answer.content.decode())


def test_one_moment_in_two_zones_is_one_order(api: Api, agreement: str) -> None:
    wish = order_body(agreement, ceiling=5, starts_at="2027-01-01T07:00:00+08:00")
    assert api.post("orders", wish).status_code == 201
    assert api.post("orders", wish | {"starts_at": "2026-12-31T23:00:00Z"}).status_code == 200


def test_what_is_missing_is_pointed_to(api: Api, agreement: str) -> None:
    told = assert_problem(api.post("services", {"name": "x", "mode": "fixed"}), 422)
    assert told["errors"][0]["pointer"] == "/ceiling"
    order = api.order(agreement, ceiling=1000)["id"]
    told = assert_problem(api.post(f"orders/{order}/complete", {"items": [{"name": "a"}]}), 422)
    assert told["errors"][0]["pointer"] == "/items/0/amount"
    told = assert_problem(api.post("orders", order_body(agreement, metadata={"a": 1})), 422)
    assert told["errors"][0]["pointer"] == "/metadata/a"
    told = assert_problem(api.post("sandbox/people", {"name": " "}), 422, "invalid_request")
    assert told["errors"][0]["pointer"] == "/name"


@pytest.mark.parametrize(
    "path",
    [
        "orders?state=null",
        "events?after=1764000000",
        "orders?limit=1e1",
        "orders?limt=1",
        "sandbox/clock?x=1",
        "orders?limit=",
    ],
)
def test_nothing_in_a_query_is_ignored_or_taken_for_something_else(api: Api, path: str) -> None:
    assert_problem(api.get(path), 422)


def test_a_post_takes_no_query_and_an_empty_filter_is_one(api: Api, agreement: str) -> None:
    assert_problem(api.post("services?foo=1", {"name": "x", "mode": "dynamic", "ceiling": 1}), 422)
    assert len(api.get("agreements").json()["data"]) == 1
    assert api.get("agreements?person_ref=").json()["data"] == []


def test_discounts_are_taken_off_items_or_refused(db: None) -> None:
    shop = make_shop("小店", mode="fixed", ceiling_minor=5000)
    api, less = Api(shop), [{"name": "新客", "amount": 100}]
    agreement = api.agreement(shop.service.public_id)
    assert_problem(api.post("orders", order_body(agreement, amount=1000, discounts=less)), 422, "total_invalid")
    order = api.order(agreement, amount=1000)["id"]
    for final in ({"discounts": less}, {"items": [], "discounts": less}, {"total": 900, "discounts": less}):
        assert_problem(api.post(f"orders/{order}/complete", final), 422, "total_invalid")
    ended = api.post(f"orders/{order}/complete", {"items": [{"name": "杯", "amount": 1000}], "discounts": less}).json()
    assert (ended["total"], [one["amount"] for one in ended["discounts"]]) == (900, [100])


def test_items_that_were_foreseen_do_not_stand_beside_another_total(db: None) -> None:
    shop = make_shop("小店", mode="fixed", ceiling_minor=5000)
    api, items = Api(shop), [{"name": "杯", "amount": 1000}]
    agreement = api.agreement(shop.service.public_id)
    for total, shown in ((800, []), (1000, [1000])):
        order = api.order(agreement, amount=1000, items=items)["id"]
        ended = api.post(f"orders/{order}/complete", {"total": total}).json()
        assert (ended["total"], [item["amount"] for item in ended["items"]]) == (total, shown)


def test_whatever_ends_a_debt_is_told(api: Api, agreement: str) -> None:
    lowered, refunded, settled = (done(api, agreement) for _ in range(3))
    api.post(f"orders/{lowered}/modify", {"total": 0, "reason": "x"})
    assert types(api, lowered)[-3:] == ["order.modified", "obligation.waived", "order.deducted"]
    api.post(f"orders/{refunded}/refunds", {"amount": 600, "reason": "x"})
    assert "obligation.waived" in types(api, refunded)
    api.post(f"sandbox/orders/{settled}/pay", {"amount": 200})
    api.post(f"orders/{settled}/modify", {"total": 200, "reason": "x"})
    assert types(api, settled).count("obligation.paid") == 1


def test_late_fees_are_told_apart_and_their_waiver_is_told(db: None) -> None:
    shop = make_shop("慢", late_fee_daily_bps=5, late_fee_cap_bps=1000, ceiling_minor=100_000)
    api = Api(shop)
    api.call("PUT", "sandbox/clock", {"mode": "frozen"})
    order = api.order(api.agreement(shop.service.public_id, api.person("no_funds")), ceiling=50_000)["id"]
    api.post(f"orders/{order}/complete", {"total": 40_000})
    api.post("sandbox/clock/advance", {"by": "P10D"})
    kinds = {part["kind"]: part["amount"] for part in api.get(f"orders/{order}").json()["obligations"]}
    assert kinds["principal"] == 40_000
    assert kinds["late_fee"] > 0
    assert api.post(f"orders/{order}/cancel", {"reason": "x"}).status_code == 200
    assert types(api, order).count("obligation.waived") == 2


def test_the_events_of_an_order_are_pages_of_what_events_has(api: Api, agreement: str) -> None:
    order = done(api, agreement)
    whole, cursor, found = api.get(f"orders/{order}/events").json()["data"], "", []
    while cursor is not None:
        page = api.get(f"orders/{order}/events?limit=1{cursor and '&cursor='}{cursor}").json()
        found += page["data"]
        cursor = page["next_cursor"]
    assert found == whole
    for event in whole:
        assert api.get(f"events/{event['id']}").json().items() <= event.items()
    assert_problem(api.get(f"orders/{order}/events?cursor=x"), 422)


def test_a_cursor_of_another_orders_events_or_another_merchants_is_none(api: Api, agreement: str) -> None:
    mine, another, neighbour = done(api, agreement), done(api, agreement), make_shop("邻居")
    strange = Api(neighbour)
    theirs = done(strange, strange.agreement(neighbour.service.public_id))
    for whose, order in ((api, another), (strange, theirs)):
        cursor = whose.get(f"orders/{order}/events?limit=1").json()["next_cursor"]
        told = assert_problem(api.get(f"orders/{mine}/events?cursor={cursor}"), 422)
        assert told["errors"] == [{"pointer": "?cursor", "detail": "not a cursor of this list"}]


@pytest.mark.parametrize(
    "query", ["%00=1", "💴=1", "a%ff=1", "&".join(f"n{n}=" for n in range(900)), "=", "expand=%22"]
)
def test_a_query_that_nobody_reads_is_refused_whatever_it_is(api: Api, agreement: str, query: str) -> None:
    order = done(api, agreement)
    told = assert_problem(api.get(f"orders/{order}?{query}"), 422, "invalid_request")
    assert all(error["pointer"].startswith("?") for error in told["errors"])
    assert api.get(f"orders/{order}").status_code == 200


def eligible(api: Api, agreement: str, **more: Any) -> Any:
    told = api.post("eligibility", {"agreement": agreement, "amount": 100} | more).json()
    assert told["eligible"] is (told["reason"] is None)
    return told["reason"]


def test_eligibility_says_no_to_whatever_an_order_is_refused_for(api: Api, power_bank: Shop, agreement: str) -> None:
    assert eligible(api, agreement) is None
    assert_problem(api.post("orders", order_body(agreement, ceiling=100, currency="USD")), 422, "currency_mismatch")
    assert eligible(api, agreement, currency="USD") == "currency_mismatch"
    power_bank.merchant.order_most_minor = 50
    power_bank.merchant.save()
    assert_problem(api.post("orders", order_body(agreement, ceiling=100)), 422, "above_ceiling")
    assert eligible(api, agreement) == "amount_too_high"
    api.patch(f"services/{power_bank.service.public_id}", {"state": "paused"})
    assert_problem(api.post("orders", order_body(agreement, ceiling=10)), 409, "service_paused")
    assert eligible(api, agreement, amount=10) == "service_paused"
    api.post(f"agreements/{agreement}/terminate")
    assert eligible(api, agreement, amount=10) == "agreement_not_active"


@pytest.mark.parametrize("why", ["timeout", "resolver_busy"])
def test_a_silent_resolver_is_no_verdict_on_an_address(api: Api, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    real = webhook_sender.resolve_url

    def silent(*_a: Any, **_k: Any) -> Any:
        raise webhook_sender.NotSentError(why)

    body = {"url": "http://127.0.0.1:9/hooks"}
    monkeypatch.setattr(webhook_sender, "resolve_url", silent)
    first = api.post("webhook_endpoints", body, **idempotency_header("k"))
    assert_problem(first, 503, "unavailable")
    assert int(first["Retry-After"]) > 0
    monkeypatch.setattr(webhook_sender, "resolve_url", real)
    assert api.post("webhook_endpoints", body, **idempotency_header("k")).status_code == 201


def test_an_endpoint_that_hears_of_nothing_is_refused(api: Api) -> None:
    body = {"url": "http://127.0.0.1:9/hooks", "event_types": []}
    assert_problem(api.post("webhook_endpoints", body), 422, "unknown_event_type")


def test_collected_too_often_says_when_again(api: Api, power_bank: Shop) -> None:
    order = api.order(api.agreement(power_bank.service.public_id, api.person("no_funds")), ceiling=100)["id"]
    api.post(f"orders/{order}/complete", {"total": 50})
    answers = [api.post(f"orders/{order}/collect") for _ in range(6)]
    assert_problem(answers[-1], 429, "collect_too_often")
    wait = int(answers[-1]["Retry-After"])
    api.post("sandbox/clock/advance", {"by": f"PT{wait - 1}S"})
    assert_problem(api.post(f"orders/{order}/collect"), 429)
    api.post("sandbox/clock/advance", {"by": "PT1S"})
    assert api.post(f"orders/{order}/collect").status_code == 200


@pytest.mark.parametrize("url", NOWHERE)
def test_where_nobody_can_be_led_back_to_is_refused(api: Api, power_bank: Shop, url: str) -> None:
    body = {"service": power_bank.service.public_id, "person_ref": "u", "return_url": url}
    told = assert_problem(api.post("agreements", body), 422)
    assert told["errors"][0]["pointer"] == "/return_url"


def test_where_somebody_can_be_led_back_to_they_are(api: Api, power_bank: Shop, ada: Person) -> None:
    body = {"service": power_bank.service.public_id, "person_ref": "u", "return_url": "HTTPS://shop.example/back?a=1"}
    made = api.post("agreements", body).json()
    back = client_for(ada).get(f"/sign/{made['id']}/back")
    assert back.status_code == 302
    assert back["Location"].startswith("https://shop.example/back?a=1&agreement=")


def test_the_description_speaks_as_the_answers_do() -> None:
    said = json.loads(render_openapi())
    titles = [
        example["value"]["title"]
        for methods in said["paths"].values()
        for operation in methods.values()
        for answer in operation["responses"].values()
        for example in (answer.get("content", {}).get("application/problem+json", {}).get("examples") or {}).values()
    ]
    assert len(titles) > 500
    assert not [title for title in titles if HAN.search(title)]
    assert "unknown_policy" in said["paths"]["/v1/services"]["post"]["responses"]["422"]["description"]


def test_the_word_before_a_key_is_written_in_any_case(api: Api) -> None:
    assert api.get("services", HTTP_AUTHORIZATION=f"bearer {api.secret}").status_code == 200
