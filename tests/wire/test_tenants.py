"""Every operation × every caller × own, another's and a missing object. An operation not in the table fails."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from kernel.clock import live_now
from kernel.ids import public, uuid7
from merchants import services as merchants
from merchants.rules import ALL_SCOPES, Scope, new_secret
from tests.api import Api, assert_problem
from tests.conftest import BY, NOON, Shop, make_shop
from tests.unchanged import assert_unchanged
from tests.wire.endpoints import HOOK, World, world_of

OPENAPI = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


@dataclass(frozen=True)
class Case:
    """What an operation needs: a scope, a valid body, and which object of a world it is about."""

    scope: Scope
    body: dict[str, Any] | None = None
    about: str = ""
    #: Names the object in the body instead of the path.
    field: str = ""
    good: tuple[int, ...] = (200, 201)

    @property
    def sandbox(self) -> bool:
        return self.scope is Scope.SANDBOX


READ, WRITE, PLAY, HOOKS = Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.SANDBOX, Scope.WEBHOOKS_WRITE
PARCEL = {"carrier": "x", "tracking_number": "1", "reason": "x"}
ORDER = {"out_order_no": "M-1", "title": "x"}
NOW = "now"  # in a body: when it is sent
TABLE = {
    "list_services": Case(Scope.SERVICES_READ),
    "create_service": Case(Scope.SERVICES_WRITE, {"name": "雨伞", "mode": "dynamic", "ceiling": 1}),
    "get_service": Case(Scope.SERVICES_READ, about="service"),
    "change_service": Case(Scope.SERVICES_WRITE, {"name": "x"}, "service"),
    "list_agreements": Case(Scope.AGREEMENTS_READ),
    "create_agreement": Case(Scope.AGREEMENTS_WRITE, {"person_ref": "x"}, "service", "service"),
    "get_agreement": Case(Scope.AGREEMENTS_READ, about="agreement"),
    "terminate_agreement": Case(Scope.AGREEMENTS_WRITE, {}, "agreement"),
    "check_eligibility": Case(Scope.AGREEMENTS_READ, {"amount": 1}, "agreement", "agreement"),
    "list_orders": Case(READ),
    "create_order": Case(WRITE, ORDER, "agreement", "agreement"),
    "get_order": Case(READ, about="open"),
    "complete_order": Case(WRITE, {"total": 1}, "open"),
    "cancel_order": Case(WRITE, {"reason": "x"}, "open"),
    "modify_order": Case(WRITE, {"total": 1, "reason": "x"}, "completed"),
    "mark_order_paid": Case(WRITE, {"paid_at": NOW, "reference": "x"}, "completed"),
    "collect_order": Case(WRITE, {}, "completed"),
    "list_order_refunds": Case(READ, about="completed"),
    "refund_order": Case(WRITE, {"amount": 1, "reason": "x"}, "completed"),
    "list_order_events": Case(READ, about="open"),
    "list_disputes": Case(READ),
    "get_dispute": Case(READ, about="dispute"),
    "answer_dispute": Case(WRITE, {"statement": "x"}, "dispute"),
    "return_order": Case(WRITE, PARCEL, "completed"),
    "list_returns": Case(READ),
    "get_return": Case(READ, about="returned"),
    "confirm_return": Case(WRITE, {}, "returned"),
    "refuse_return": Case(WRITE, {"reason": "x"}, "returned"),
    "sandbox_return_order": Case(PLAY, PARCEL, "completed"),
    "list_settlements": Case(Scope.SETTLEMENTS_READ),
    "get_settlement": Case(Scope.SETTLEMENTS_READ, about="settlement"),
    "list_settlement_lines": Case(Scope.SETTLEMENTS_READ, about="settlement"),
    "get_settlement_proof": Case(Scope.SETTLEMENTS_READ, about="settlement"),
    "list_events": Case(Scope.EVENTS_READ),
    "get_event": Case(Scope.EVENTS_READ, about="event"),
    "redeliver_event": Case(HOOKS, {}, "event"),
    "list_webhook_endpoints": Case(Scope.WEBHOOKS_READ),
    "create_webhook_endpoint": Case(HOOKS, {"url": HOOK}),
    "get_webhook_endpoint": Case(Scope.WEBHOOKS_READ, about="endpoint"),
    "change_webhook_endpoint": Case(HOOKS, {"description": "x"}, "endpoint"),
    "remove_webhook_endpoint": Case(HOOKS, about="endpoint"),
    "rotate_webhook_secret": Case(HOOKS, {}, "endpoint"),
    "ping_webhook_endpoint": Case(HOOKS, {}, "endpoint"),
    "list_webhook_deliveries": Case(Scope.WEBHOOKS_READ, about="endpoint"),
    "redeliver_failed_webhooks": Case(HOOKS, {"since": "2026-01-01T00:00:00Z"}, "endpoint"),
    "sandbox_create_person": Case(PLAY, {"name": "x"}),
    "sandbox_sign_agreement": Case(PLAY, {}, "pending"),
    "sandbox_confirm_order": Case(PLAY, {}, "open", good=(200, 409)),
    "sandbox_list_people": Case(PLAY),
    "sandbox_get_person": Case(PLAY, about="person"),
    "sandbox_change_person": Case(PLAY, {"behaviour": "pays"}, "person"),
    "sandbox_sign_in": Case(PLAY, {}, "person"),
    "sandbox_stop_agreement": Case(PLAY, {}, "agreement"),
    "sandbox_decline_order": Case(PLAY, {}, "open", good=(200, 409)),
    "sandbox_pay_order": Case(PLAY, {}, "completed"),
    "sandbox_take_back": Case(PLAY, {"code": "no_funds"}, "completed", good=(200, 409)),
    "get_clock": Case(PLAY),
    "set_clock": Case(PLAY, {"mode": "running"}),
    "advance_clock": Case(PLAY, {"by": "PT1S"}),
}
PREFIX = {"person": "per", "service": "svc", "agreement": "agr", "pending": "agr", "open": "ord", "completed": "ord"}
PREFIX |= {"event": "evt", "endpoint": "whe", "settlement": "stl", "dispute": "dsp", "returned": "ret"}


def operations() -> Iterator[tuple[str, str, str]]:
    """Every operation the description names: its id, method and path under /v1/."""
    described = json.loads(OPENAPI.read_text())
    for path, methods in described["paths"].items():
        for method, said in methods.items():
            yield said["operationId"], method.upper(), path.removeprefix("/v1/")


OPERATIONS = {name: (method, path) for name, method, path in operations()}
#: Without another's object there is nothing to look at.
ABOUT = sorted(name for name, case in TABLE.items() if case.about)


def send(api: Api, name: str, target: str, **headers: Any) -> Any:
    """The operation about this object."""
    case, (method, path) = TABLE[name], OPERATIONS[name]
    now = live_now().isoformat()
    body = {k: now if v is NOW else v for k, v in case.body.items()} if case.body is not None else None
    if case.field and body is not None:
        body[case.field] = target
    if name == "sandbox_sign_agreement":
        body = {"person": headers.pop("person", None)}
    headers.pop("person", None)
    start, _, rest = path.partition("{")
    address = f"{start}{target}{rest.partition('}')[2]}" if rest else path
    return api.call(method, address, body, **headers)


def target_of(world: World, name: str) -> str:
    case = TABLE[name]
    return str(getattr(world, case.about)) if case.about else ""


def without_request_id(response: Any) -> tuple[int, bytes, str]:
    """The answer without the one name that differs from request to request."""
    request_id = response["Request-Id"].encode()
    assert request_id in response.content
    return response.status_code, response.content.replace(request_id, b"-"), response["Content-Type"]


@pytest.fixture(scope="module")
def _other(once: Callable[[Callable[[], World]], World]) -> World:
    return once(lambda: world_of(make_shop("别人家", ceiling_minor=9_900)))


@pytest.fixture
def other(_other: World, db: None) -> World:
    return _other


def key_with(shop: Shop, *scopes: str, live: bool = False) -> Api:
    merchant = shop.live if live else shop.merchant
    _key, secret = merchants.issue_key(merchant.id, scopes=scopes, by=BY, at=NOON)
    return Api(secret=secret)


def test_every_operation_of_the_description_stands_in_the_table_and_none_else() -> None:
    assert set(TABLE) == set(OPERATIONS)


def test_the_owner_is_let_in(world: World, subtests: pytest.Subtests) -> None:
    for name, case in TABLE.items():
        with subtests.test(name), rolled_back():
            response = send(world.api, name, target_of(world, name), person=world.api.person()["id"])
            assert response.status_code in case.good, response.content


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll everything back afterwards, so that each operation finds the same state."""
    with transaction.atomic():
        transaction.get_connection().atomic_blocks[-1]._from_testcase = True  # noqa: SLF001  as the test's own: not one of ours
        yield
        transaction.set_rollback(True)


def test_without_a_good_key_nobody_is_let_in_to_own_others_or_missing_objects(world: World, other: World) -> None:
    revoked = key_with(world.shop, *ALL_SCOPES)
    key = world.shop.merchant.api_keys.latest("id")
    assert revoked.get("orders").status_code == 200
    merchants.revoke_key(key.id, by=BY, at=NOON)
    callers = (Api(secret=""), Api(secret=new_secret("test")), Api(secret=new_secret("live")), revoked)
    with assert_unchanged():
        for name in TABLE:
            for target in (target_of(world, name), target_of(other, name), missing_for(name)):
                for caller in callers:
                    assert_problem(send(caller, name, target), 401, "unauthenticated")


def missing_for(name: str) -> str:
    about = TABLE[name].about
    return public(PREFIX[about], uuid7()) if about else ""


def test_a_key_without_the_scope_may_not_whatever_the_object(world: World, other: World) -> None:
    with assert_unchanged("merchants_apikey", "merchants_change"):
        for scope in Scope:
            caller = key_with(world.shop, *(each for each in ALL_SCOPES if each != scope))
            for name in (name for name, case in TABLE.items() if case.scope is scope):
                answers = {
                    without_request_id(send(caller, name, target))
                    for target in (target_of(world, name), target_of(other, name), missing_for(name))
                }
                ((status, body, _kind),) = answers
                assert (status, json.loads(body)["code"]) == (403, "insufficient_scope"), name
            merchants.revoke_key(world.shop.merchant.api_keys.latest("id").id, by=BY, at=NOON)


def test_anothers_object_is_a_missing_one_byte_for_byte_and_stays_as_it_is(
    world: World, other: World, subtests: pytest.Subtests
) -> None:
    for name in ABOUT:
        with subtests.test(name), assert_unchanged():
            theirs = send(world.api, name, target_of(other, name), person=world.person)
            missing = send(world.api, name, missing_for(name), person=world.person)
            of_another_kind = send(world.api, name, f"key_{uuid7().hex}", person=world.person)
            assert_problem(theirs, 404, "not_found")
            assert without_request_id(theirs) == without_request_id(missing) == without_request_id(of_another_kind)
            assert dict(theirs.headers).keys() == dict(missing.headers).keys()


def test_a_sandbox_key_does_not_reach_its_live_twins_objects_nor_the_other_way_round(world: World) -> None:
    live = key_with(world.shop, *ALL_SCOPES, live=True)
    made = live.post("services", {"name": "真的", "mode": "dynamic", "ceiling": 100}).json()
    agreement = live.post("agreements", {"service": made["id"], "person_ref": "x"}).json()
    assert made["livemode"]
    assert agreement["livemode"]
    with assert_unchanged():
        assert_problem(world.api.get(f"services/{made['id']}"), 404)
        assert_problem(world.api.get(f"agreements/{agreement['id']}"), 404)
        assert_problem(world.api.post(f"agreements/{agreement['id']}/terminate"), 404)
        assert_problem(world.api.post(f"sandbox/agreements/{agreement['id']}/sign", {"person": world.person}), 404)
        for name in ABOUT:
            case = TABLE[name]
            response = send(live, name, target_of(world, name), person=world.person)
            assert_problem(response, *((403, "sandbox_only") if case.sandbox else (404, "not_found")))


def test_a_live_key_is_shown_none_of_the_sandboxs_tools(world: World) -> None:
    live = key_with(world.shop, *ALL_SCOPES, live=True)
    with assert_unchanged():
        for name in (name for name, case in TABLE.items() if case.sandbox):
            targets = {target_of(world, name), missing_for(name)}
            answers = {without_request_id(send(live, name, target)) for target in targets}
            assert {(status, json.loads(body)["code"]) for status, body, _ in answers} == {(403, "sandbox_only")}
            assert len(answers) == 1


@pytest.mark.parametrize("query", ["", "out_order_no=1&", "state=open&"])
def test_a_cursor_of_a_list_of_other_things_is_none(world: World, query: str) -> None:
    told = assert_problem(world.api.get(f"orders?{query}cursor={world.service}"), 422)
    assert told["errors"] == [{"pointer": "?cursor", "detail": "not a cursor of this list"}]
    assert assert_problem(world.api.get(f"services?cursor={world.open}"), 422)["errors"] == told["errors"]
    assert_problem(world.api.get("services?cursor=" + uuid7().hex), 422)


def test_a_list_holds_ones_own_only_and_no_cursor_or_filter_reaches_further(world: World, other: World) -> None:
    theirs = {
        other.dispute,
        other.returned,
        other.service,
        other.agreement,
        other.pending,
        other.open,
        other.completed,
        other.settlement,
    }
    newest = (uuid7().int + (1 << 100)).to_bytes(16, "big").hex()
    lists = {"services": "svc", "agreements": "agr", "orders": "ord", "disputes": "dsp", "returns": "ret"}
    for path, prefix in {**lists, "settlements": "stl"}.items():
        for query in ("", f"?cursor={prefix}_{newest}", "?limit=100"):
            shown = world.api.get(path + query).json()["data"]
            assert shown
            assert not {row["id"] for row in shown} & theirs
    with assert_unchanged():
        number = other.api.get(f"orders/{other.open}").json()["out_order_no"]
        assert world.api.get(f"orders?out_order_no={number}").json()["data"] == []
        assert world.api.get(f"orders?agreement={other.agreement}").json()["data"] == []
        disputed = other.api.get(f"disputes/{other.dispute}").json()["orders"][0]["order"]
        assert world.api.get(f"disputes?order={disputed}").json()["data"] == []
        person = other.api.get(f"agreements/{other.agreement}").json()["person_ref"]
        assert world.api.get(f"agreements?person_ref={person}").json()["data"] == []


def test_anothers_person_cannot_be_named_as_ones_own(world: World, other: World) -> None:
    with assert_unchanged():
        path = f"sandbox/agreements/{world.pending}/sign"
        theirs = world.api.post(path, {"person": other.person})
        missing = world.api.post(path, {"person": public("per", uuid7())})
    assert without_request_id(theirs) == without_request_id(missing)
    assert_problem(theirs, 404, "not_found")
