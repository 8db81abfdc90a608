"""Generated JSON, queries and headers in place of any part of a valid request."""

import json
import os
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.hostile.response_checker import ResponseChecker
from tests.hostile.test_schema import SEED, WorldPool
from tests.kills.running_stack import print_result
from tests.wire.endpoints import World

#: `make evidence-hostile` asks for thirty thousand.
CASES = int(os.environ.get("HOSTILE_GENERATED", "250"))
#: Number of operations with a body that each change is tried on.
OPERATIONS = 13
DEFAULTS = settings(
    max_examples=CASES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
NUMBERS = st.one_of(st.integers(), st.integers(-1, 10_000), st.floats(), st.sampled_from([2**63, -(2**63) - 1, 10**13]))
PLAIN = st.one_of(
    st.none(), st.booleans(), NUMBERS, TEXT, st.from_regex(r"(ord|agr|svc|per)_[0-9a-f]{32}", fullmatch=True)
)
JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=8
)
NAMES = [
    *("agreement", "service", "person", "title", "total", "ceiling", "amount", "items", "discounts", "currency"),
    *("metadata", "attach", "reason", "paid_at", "ends_at", "due_at", "starts_at", "reference", "name", "mode"),
    *("out_order_no", "person_ref", "return_url", "behaviour", "duration", "state", "grace_hours", "description"),
]
DATES = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
HEADERS = st.sampled_from(["HTTP_IDEMPOTENCY_KEY", "HTTP_BNPL_VERSION", "HTTP_REQUEST_ID", "HTTP_ACCEPT"])
HEADER = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=60)


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    """A few fields, with documented or other names, and their values."""
    names = st.sampled_from(NAMES)
    return draw(st.dictionaries(names | TEXT, JSON | DATES, min_size=1, max_size=3))


def encode_body(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")


@pytest.fixture
def checker() -> ResponseChecker:
    return ResponseChecker()


def test_any_value_in_any_place_is_taken_or_refused_as_described(world: World, checker: ResponseChecker) -> None:
    worlds = WorldPool(world)

    @seed(SEED)
    @settings(DEFAULTS, max_examples=max(CASES // OPERATIONS, 1))
    @given(change=changes(), whole=JSON, dice=st.randoms(use_true_random=False), header=st.tuples(HEADERS, HEADER))
    def asked(change: dict[str, Any], whole: Any, dice: Any, header: tuple[str, str]) -> None:
        world = worlds.now()
        for path, body in sorted(world.bodies().items()):
            known = {name: value for name, value in change.items() if name in body or dice.randrange(4) == 0}
            raw = encode_body(whole if dice.randrange(12) == 0 else body | known)
            headers = dict([header]) if dice.randrange(3) == 0 else {}
            checker.check("POST", f"/v1/{path}", world.api.post(path, raw, **headers), (raw, headers))

    asked()
    assert len(checker.operations) >= OPERATIONS
    print_result(f"B1 generated bodies: {checker.summary()}")


def test_any_query_and_any_name_in_a_path_is_answered_as_described(world: World, checker: ResponseChecker) -> None:
    worlds = WorldPool(world)

    @seed(SEED)
    @settings(DEFAULTS, max_examples=max(CASES // 10, 1))
    @given(
        query=st.dictionaries(
            st.sampled_from(["limit", "cursor", "state", "out_order_no", "agreement", "service", "type"]) | TEXT,
            TEXT,
            max_size=3,
        ),
        name=TEXT,
        path=st.sampled_from(
            ["orders", "agreements", "services", "orders/{}", "orders/{}/events", "agreements/{}", "services/{}"]
        ),
    )
    def asked(query: dict[str, str], name: str, path: str) -> None:
        def written(text: str) -> str:
            return quote(text.encode("utf-8", "surrogatepass"), safe="")

        asks = "&".join(f"{written(key)}={written(value)}" for key, value in query.items())
        address = path.format(written(name) or "-")
        response = worlds.now().api.get(f"{address}?{asks}")
        checker.check("GET", f"/v1/{address}", response, (address, asks))

    asked()
    print_result(f"B1 generated addresses: {checker.summary()}")
