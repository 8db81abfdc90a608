"""Rate limits of API keys and of callers without one, shared by all processes, also while Valkey is down."""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import RequestFactory
from structlog.testing import capture_logs

from kernel import rate_limits
from kernel.rate_limits import Rate, client_address, take_from_bucket
from merchants import services as merchants
from tests.api import Api, assert_problem, idempotency_header
from tests.conftest import BY, NOON, Shop
from tests.unchanged import assert_unchanged

POLICY = re.compile(r'"(read|write|address)";q=(\d+);w=(\d+)')
LEFT = re.compile(r'"(read|write|address)";r=(\d+);t=(\d+)')
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def strict(settings: LazySettings) -> None:
    settings.RATES = {"read": (5, 60), "write": (3, 60), "address": (4, 60)}


@pytest.fixture
def away(settings: LazySettings) -> Iterator[None]:
    """Valkey does not answer; what this process counts is forgotten afterwards."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": NOWHERE}}
    rate_limits.buckets.cache_clear()
    yield
    rate_limits.buckets.cache_clear()


def remaining(response: Any) -> tuple[str, int]:
    """Which bucket an answer speaks of, and what is left in it."""
    policy, now = POLICY.fullmatch(response["RateLimit-Policy"]), LEFT.fullmatch(response["RateLimit"])
    assert policy
    assert now
    assert policy[1] == now[1]
    assert 0 <= int(now[2]) < int(policy[2])
    assert 0 <= int(now[3]) <= int(policy[3])
    return now[1], int(now[2])


def test_every_answer_says_what_is_left_and_reads_and_writes_are_counted_apart(power_bank: Shop, strict: None) -> None:
    api = Api(power_bank)
    assert remaining(api.get("orders")) == ("read", 4)
    assert remaining(api.get("orders/ord_none")) == ("read", 3)
    assert remaining(api.post("orders", b"{")) == ("write", 2)
    assert remaining(api.call("PUT", "orders")) == ("write", 1)
    assert remaining(api.get("orders")) == ("read", 2)
    assert remaining(api.get("nothing")) == ("address", 3)
    assert remaining(api.get("orders", HTTP_AUTHORIZATION="Bearer x")) == ("address", 2)
    assert remaining(api.get("orders", HTTP_HOST="evil.example")) == ("address", 1)


def test_one_too_many_is_refused_with_the_seconds_until_the_next_and_moves_nothing(
    power_bank: Shop, strict: None
) -> None:
    api = Api(power_bank)
    umbrella = {"name": "雨伞", "mode": "dynamic", "ceiling": 9900}
    assert [api.post("services", umbrella, **idempotency_header(f"k{n}")).status_code for n in range(3)] == [201] * 3
    with assert_unchanged():
        late = api.post("services", umbrella, **idempotency_header("k3"))
    assert_problem(late, 429, "rate_limited")
    assert 1 <= int(late["Retry-After"]) <= 20
    assert remaining(late) == ("write", 0)
    assert late["Cache-Control"] == "no-store"
    assert api.get("orders").status_code == 200


def test_the_same_key_may_be_used_again_once_a_token_came_back(power_bank: Shop, settings: LazySettings) -> None:
    settings.RATES = {"read": (1, 1), "write": (1, 1), "address": (1, 1)}
    api, umbrella = Api(power_bank), {"name": "雨伞", "mode": "dynamic", "ceiling": 9900}
    assert api.post("services", umbrella, **idempotency_header("a")).status_code == 201
    late = api.post("services", umbrella, **idempotency_header("b"))
    assert_problem(late, 429, "rate_limited")
    time.sleep(int(late["Retry-After"]))
    assert api.post("services", umbrella, **idempotency_header("b")).status_code == 201


def test_each_key_has_buckets_of_its_own(power_bank: Shop, strict: None) -> None:
    _key, secret = merchants.issue_key(power_bank.merchant.id, by=BY, at=NOON)
    one, other = Api(power_bank), Api(secret=secret)
    assert [one.get("orders").status_code for _ in range(6)] == [200] * 5 + [429]
    assert remaining(other.get("orders")) == ("read", 4)


def test_an_address_without_a_good_key_is_stopped_and_a_good_key_beside_it_is_not(
    power_bank: Shop, strict: None
) -> None:
    stranger, api = Api(secret="sk_test_" + "A" * 43), Api(power_bank)
    statuses = [stranger.get("orders").status_code for _ in range(6)]
    assert statuses == [401] * 4 + [429] * 2
    assert [stranger.get(path).status_code for path in ("nothing", "openapi.json")] == [429] * 2
    assert api.get("orders").status_code == 200


def test_made_up_forwarded_addresses_do_not_help(power_bank: Shop, strict: None, settings: LazySettings) -> None:
    stranger = Api(secret="x")
    for proxies in (0, 1, 2):
        settings.NUM_PROXIES = proxies
        real = {0: "", 1: ", 203.0.113.7", 2: ", 203.0.113.8, 10.0.0.1"}[proxies]
        told = [f"198.51.100.{n}{real}" for n in range(6)]
        answers = [stranger.get("orders", HTTP_X_FORWARDED_FOR=line).status_code for line in told]
        assert answers == [401] * 4 + [429] * 2, proxies


@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        (0, "1.2.3.4", "192.0.2.1"),
        (1, "1.2.3.4", "1.2.3.4"),
        (1, "9.9.9.9, 1.2.3.4", "1.2.3.4"),
        (2, "9.9.9.9, 1.2.3.4, 10.0.0.1", "1.2.3.4"),
        (2, "1.2.3.4", "1.2.3.4"),
        (1, "", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        (1, "::ffff:1.2.3.4", "1.2.3.4"),
        (1, "1.2.3.4\r\nSET x", "unknown"),
        (1, "１.2.3.4", "unknown"),
        (1, "evil:" + "9" * 8_000, "unknown"),
    ],
)
def test_an_address_is_what_our_own_outermost_proxy_saw(
    settings: LazySettings, proxies: int, told: str, address: str
) -> None:
    settings.NUM_PROXIES = proxies
    request = RequestFactory(REMOTE_ADDR="192.0.2.1").get("/v1/orders", HTTP_X_FORWARDED_FOR=told)
    assert client_address(request) == address


def test_of_forty_at_once_as_many_get_through_as_there_are_tokens() -> None:
    rate = Rate("test", 10, 600)
    with ThreadPoolExecutor(max_workers=40) as threads:
        taken = list(threads.map(lambda _: rate_limits.take_token(rate, "forty"), range(40)))
    assert Counter(one.allowed for one in taken) == {True: 10, False: 30}
    assert sorted(one.left for one in taken if one.allowed) == list(range(10))


def test_the_script_and_our_own_arithmetic_are_the_same() -> None:
    rate, full = Rate("test", 4, 2), 0
    for _ in range(12):
        there = rate_limits.take_token(rate, "same")
        full, here = take_from_bucket(full, time.monotonic_ns() // 1000, rate)
        assert (there.allowed, there.left) == (here.allowed, here.left)
        assert abs(there.full_in_us - here.full_in_us) < 200_000
        assert abs(there.next_in_us - here.next_in_us) < 200_000
        time.sleep(0.09)


def test_a_bucket_is_full_again_after_its_window_and_never_fuller() -> None:
    rate, full, now = Rate("test", 10, 60), 0, 1_000_000_000
    for _ in range(10):
        full, taken = take_from_bucket(full, now, rate)
        assert taken.allowed
    assert not take_from_bucket(full, now, rate)[1].allowed
    assert take_from_bucket(full, now + 5_999_999, rate)[1].allowed is False
    assert take_from_bucket(full, now + 6_000_000, rate)[1].allowed
    full, taken = take_from_bucket(full, now + 10**12, rate)
    assert (taken.allowed, taken.left) == (True, 9)


def test_without_valkey_the_api_answers_and_counts_by_itself_and_does_not_wait_each_time(
    power_bank: Shop, strict: None, away: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, knocks = Api(power_bank), []
    dial = rate_limits.redis.connection.Connection.connect

    def knock(self: Any, *args: Any, **kwargs: Any) -> Any:
        knocks.append(time.monotonic())
        return dial(self, *args, **kwargs)

    monkeypatch.setattr("redis.connection.Connection.connect", knock)
    with capture_logs() as lines:
        answers = [api.get("orders") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert remaining(answers[0]) == ("read", 4)
    assert len(knocks) == 1
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["buckets_counted_here"]


def test_valkey_is_found_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rate, now = Rate("test", 5, 60), [1_000.0]
    monkeypatch.setattr(rate_limits, "time", Clock(now))
    buckets = rate_limits.Buckets(NOWHERE)
    assert buckets.take(rate, "x").left == 4
    buckets.script = rate_limits.Buckets(rate_limits.settings.CACHES["default"]["LOCATION"]).script  # it is back
    assert buckets.take(rate, "x").left == 3  # and nobody looks yet
    now[0] += rate_limits.RETRY_AFTER_SECONDS
    assert buckets.take(rate, "x").left == 4  # Valkey's own count
    assert buckets.take(rate, "x").left == 3


class Clock:
    """A process's own clock, that the test moves."""

    def __init__(self, now: list[float]) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now[0]

    def monotonic_ns(self) -> int:
        return int(self.now[0] * 10**9)


def test_what_one_process_counts_alone_does_not_grow_without_end(away: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "LOCAL_BUCKETS_MAX", 10)
    buckets = rate_limits.buckets(NOWHERE)
    for name in range(50):
        buckets.take(Rate("test", 5, 60), str(name))
    assert len(buckets.local) == 10


def test_a_bucket_is_forgotten_by_valkey_when_it_is_full_again(cache_server: Any) -> None:
    rate_limits.take_token(Rate("test", 10, 600), "old")
    assert 0 < cache_server.pttl("bnpl:rate:test:old") <= 60_000


def test_a_bucket_from_before_the_clock_was_set_back_counts_as_empty(cache_server: Any) -> None:
    rate, (seconds, _us) = Rate("test", 10, 1), cache_server.time()
    cache_server.set("bnpl:rate:test:past", (seconds + 3600) * 10**6, px=3_600_000)
    first = rate_limits.take_token(rate, "past")
    assert not first.allowed
    assert first.next_in_us <= rate.pace
    assert cache_server.pttl("bnpl:rate:test:past") <= 1_100
    time.sleep(rate.pace / 10**6 + 0.02)
    assert rate_limits.take_token(rate, "past").allowed

    full, taken = take_from_bucket(3600 * 10**6, 0, rate)
    assert (full, taken.allowed, taken.next_in_us) == (rate.pace * rate.quota, False, rate.pace)


def test_one_thread_waits_for_a_hanging_valkey_and_the_others_count_locally(monkeypatch: pytest.MonkeyPatch) -> None:
    rate, buckets = Rate("test", 50, 60), rate_limits.Buckets(NOWHERE)
    buckets.take(rate, "x")  # the first failure
    buckets.retry_at = time.monotonic() - 1  # and it is time to try again
    trying, hanging, tries = threading.Event(), threading.Event(), list[None]()

    def hang(**_: Any) -> list[int]:
        tries.append(None)
        trying.set()
        assert hanging.wait(10)
        return [1, 42, 0, 0]

    monkeypatch.setattr(buckets, "script", hang)
    with ThreadPoolExecutor(max_workers=1) as threads:
        probe = threads.submit(buckets.take, rate, "x")
        assert trying.wait(10)
        assert [buckets.take(rate, "x").left for _ in range(3)] == [48, 47, 46]
        hanging.set()
        assert probe.result().left == 42
    assert len(tries) == 1
    assert buckets.take(rate, "x").left == 42
