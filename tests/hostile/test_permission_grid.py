"""Every documented operation × every kind of caller × every kind of target, with the expected result of each.

Operations come from the OpenAPI document, their requests and targets from the table in tests/wire/test_tenants. A
documented operation that is not in the table fails.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from accounts import services as accounts
from billing.services.instruments import sign_with_instrument
from credit import services as credit
from kernel import ids
from kernel.clock import live_now
from kernel.models import LIVE
from merchants import services as merchants
from merchants.rules import ALL_SCOPES, new_secret
from tests.api import PROBLEM, Api
from tests.conftest import BY, make_shop
from tests.hostile.response_checker import ResponseChecker
from tests.kills.running_stack import print_result
from tests.unchanged import assert_unchanged
from tests.wire.endpoints import World, world_of
from tests.wire.test_tenants import OPERATIONS, TABLE, key_with, missing_for, send, target_of, without_request_id

#: Kinds of targets that exist in live mode too; other kinds have no live column.
LIVE_KINDS = {"service", "agreement", "pending", "open", "completed"}
ALLOWED, UNAUTHENTICATED, SCOPE, SANDBOX, MISSING = (
    "let in",
    "unauthenticated",
    "insufficient_scope",
    "sandbox_only",
    "not_found",
)


@pytest.fixture
def other(db: None) -> World:
    return world_of(make_shop("别人家", ceiling_minor=9_900))


@pytest.fixture
def live(world: World) -> World:
    """The same merchant in live mode, with a person and orders."""
    now, api = live_now(), key_with(world.shop, *ALL_SCOPES, live=True)
    service = api.post("services", {"name": "真的", "mode": "dynamic", "ceiling": 9_900}).json()["id"]
    person = accounts.register_person("13800000001", realm_id=LIVE, by=BY, at=now)
    accounts.verify_identity(person.id, "张小明", "11010519491231002X", by=BY, at=now)
    credit.open_profile(person, at=now)
    signed, pending = (
        api.post("agreements", {"service": service, "person_ref": f"c-{n}"}).json()["id"] for n in (1, 2)
    )
    agreement_id = ids.parse("agr", signed)
    assert agreement_id
    assert sign_with_instrument(agreement_id, person, None, by=BY, at=now).decision.approved
    done, going = (api.order(signed, ceiling=100)["id"] for _ in range(2))
    assert api.post(f"orders/{done}/complete", {"total": 60}).status_code == 200
    return replace(world, api=api, service=service, agreement=signed, pending=pending, open=going, completed=done)


@pytest.fixture
def callers(world: World, other: World, live: World) -> dict[str, Api]:
    revoked = key_with(world.shop, *ALL_SCOPES)
    merchants.revoke_key(world.shop.merchant.api_keys.latest("id").id, by=BY, at=live_now())
    return {
        "without a key": Api(secret=""),
        "with a key nobody has": Api(secret=new_secret("test")),
        "with a revoked key": revoked,
        "the merchant": world.api,
        "another merchant": other.api,
        "the merchant in earnest": live.api,
    }


def expected_result(name: str, caller: str, whose: str) -> str:
    """The result this cell must have."""
    case = TABLE[name]
    if caller in ("without a key", "with a key nobody has", "with a revoked key"):
        return UNAUTHENTICATED
    if caller == "the merchant in earnest" and case.sandbox:
        return SANDBOX
    owners = {"the merchant": "own", "another merchant": "another's", "the merchant in earnest": "own, in earnest"}
    return ALLOWED if not case.about or whose == owners[caller] else MISSING


def cells(callers: dict[str, Api]) -> Iterator[tuple[str, str, str]]:
    for name, case in TABLE.items():
        for caller in callers:
            whose = ["own", "another's", "missing"] if case.about else ["nobody's"]
            if case.about in LIVE_KINDS:
                whose.append("own, in earnest")
            yield from ((name, caller, each) for each in whose)


def actual_result(response: Any) -> str:
    """The result of a response. A 409 means access was granted: an earlier request changed the target's state."""
    if response.status_code < 300 or response.status_code == 409:
        return ALLOWED
    assert response["Content-Type"] == PROBLEM
    return str(json.loads(response.content)["code"])


def test_every_operation_of_the_description_is_in_the_grid() -> None:
    assert set(TABLE) == set(OPERATIONS)


def test_no_cell_of_the_grid_is_wrong(world: World, other: World, live: World, callers: dict[str, Api]) -> None:
    checker, wrong, seen = ResponseChecker(), list[Any](), Counter[str]()
    of = {"own": world, "another's": other, "own, in earnest": live}
    answers: dict[tuple[str, str], dict[str, Any]] = {}

    def ask(name: str, caller: str, whose: str) -> None:
        target = target_of(of[whose], name) if whose in of else missing_for(name) if whose == "missing" else ""
        response = send(callers[caller], name, target, person=of.get(whose, world).person)
        method, path = OPERATIONS[name]
        checker.check(method, f"/v1/{path}", response, (name, caller, whose))
        got = actual_result(response)
        seen[got] += 1
        if got != expected_result(name, caller, whose):
            wrong.append((name, caller, whose, got, response.content))
        elif got == MISSING:
            answers.setdefault((name, caller), {})[whose] = without_request_id(response)

    # Deletions come last, since a deleted target cannot be requested any more.
    grid = sorted(cells(callers), key=lambda cell: (OPERATIONS[cell[0]][0].upper() == "DELETE", cell))
    with assert_unchanged():
        for cell in grid:
            if expected_result(*cell) != ALLOWED:
                ask(*cell)
    for cell in grid:
        if expected_result(*cell) == ALLOWED:
            ask(*cell)
    apart = [where for where, told in answers.items() if len(set(told.values())) > 1]
    print_result(
        f"A1 {len(grid)} cells {dict(seen)}, {len(wrong)} wrong; {len(apart)} where another's differs from missing"
    )
    assert not wrong
    assert not apart


def test_a_key_without_the_scope_is_told_so_about_everything(world: World, other: World) -> None:
    count = 0
    for scope in sorted({case.scope for case in TABLE.values()}):
        caller = key_with(world.shop, *(each for each in ALL_SCOPES if each != scope))
        with assert_unchanged():
            for name in (name for name, case in TABLE.items() if case.scope is scope):
                targets = {target_of(world, name), target_of(other, name), missing_for(name)}
                answers = {without_request_id(send(caller, name, target, person=world.person)) for target in targets}
                assert len(answers) == 1, name
                assert {json.loads(body)["code"] for _status, body, _kind in answers} == {SCOPE}, name
                count += len(targets)
        merchants.revoke_key(world.shop.merchant.api_keys.latest("id").id, by=BY, at=live_now())
    print_result(f"A1 {count} more cells without the scope, 0 wrong")
