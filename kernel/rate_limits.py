"""How often somebody may ask: a bucket for each name, filled again at an even pace (GCRA), counted in Valkey.

One Lua script looks and takes in a single step, by Valkey's own clock, so that any number of web processes share a
bucket and none can take its last token twice. While Valkey is away each process counts by itself, and looks for it
again only every few seconds: a limit may then let through as many times more as there are processes, and nobody waits.
"""

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

import redis
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from redis.backoff import NoBackoff
from redis.retry import Retry

from kernel.refusal import Refusal

PATIENCE_SECONDS = 0.25
#: How long Valkey is left alone after it did not answer.
AWAY_SECONDS = 5.0
#: Names counted by one process while Valkey is away; the oldest is forgotten.
MOST_NAMES = 10_000
#: Neighbours in one IPv6 network are one person with very many addresses.
IPV6_NETWORK = 64
SECOND = 1_000_000
log = structlog.get_logger(__name__)

#: A bucket is the moment (µs) at which it will be full again. Returns 1 or 0, how many are left, µs until it is full,
#: and µs until the next one may be taken.
TAKE = """
local pace, quota = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local taken = full + pace
local room = now + pace * quota - taken
if room < 0 then return {0, 0, full - now, -room} end
redis.call('SET', KEYS[1], string.format('%.0f', taken), 'PX', math.ceil((taken - now) / 1000))
return {1, math.floor(room / pace), taken - now, 0}
"""


class RateLimited(Refusal):
    """This key, or this address, has asked more often than it may."""

    code, status, title, passing = "rate_limited", 429, "Too many requests.", True


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `quota` at once, and as many again within each `window` seconds."""

    name: str
    quota: int
    window: int

    @property
    def pace(self) -> int:
        """µs in which one token comes back."""
        return max(self.window * SECOND // self.quota, 1)


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of asking for a token."""

    rate: Rate
    allowed: bool
    left: int
    full_in: int
    next_in: int

    def show(self, response: HttpResponse) -> None:
        """The two header fields of draft-ietf-httpapi-ratelimit-headers."""
        response["RateLimit-Policy"] = f'"{self.rate.name}";q={self.rate.quota};w={self.rate.window}'
        response["RateLimit"] = f'"{self.rate.name}";r={self.left};t={math.ceil(self.full_in / SECOND)}'


def step(full: int, now: int, rate: Rate) -> tuple[int, Taken]:
    """The script's arithmetic, for a process on its own: the bucket afterwards, and what came of it."""
    full = max(full, now)
    taken = full + rate.pace
    room = now + rate.pace * rate.quota - taken
    if room < 0:
        return full, Taken(rate, allowed=False, left=0, full_in=full - now, next_in=-room)
    return taken, Taken(rate, allowed=True, left=room // rate.pace, full_in=taken - now, next_in=0)


class Buckets:
    """Everybody's buckets, in Valkey or, while that is away, here."""

    def __init__(self, url: str) -> None:
        patience = {"socket_connect_timeout": PATIENCE_SECONDS, "socket_timeout": PATIENCE_SECONDS}
        self.server = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **patience)
        self.script = self.server.register_script(TAKE)
        self.own: OrderedDict[str, int] = OrderedDict()
        self.lock = threading.Lock()
        self.asks_again = 0.0

    def take(self, rate: Rate, whose: str) -> Taken:
        """One token out of this bucket, if there is one."""
        name = f"bnpl:rate:{rate.name}:{whose}"
        if time.monotonic() < self.asks_again:
            return self.take_here(rate, name)
        try:
            allowed, left, full_in, next_in = self.script(keys=[name], args=[rate.pace, rate.quota])
        except redis.RedisError as missed:
            self.asks_again = time.monotonic() + AWAY_SECONDS
            log.warning("buckets_counted_here", error=type(missed).__name__, seconds=AWAY_SECONDS)
            return self.take_here(rate, name)
        return Taken(rate, allowed=bool(allowed), left=left, full_in=full_in, next_in=next_in)

    def take_here(self, rate: Rate, name: str) -> Taken:
        with self.lock:
            now = time.monotonic_ns() // 1000
            self.own[name], taken = step(self.own.pop(name, 0), now, rate)
            if len(self.own) > MOST_NAMES:
                self.own.popitem(last=False)
        return taken


@lru_cache(maxsize=4)
def buckets(url: str) -> Buckets:
    return Buckets(url)


def take(rate: Rate, whose: str) -> Taken:
    """One token for whoever this is, from the bucket they have at this rate."""
    return buckets(str(settings.CACHES["default"]["LOCATION"])).take(rate, whose)


def charge(request: HttpRequest, name: str, whose: str) -> None:
    """Count this request against somebody's bucket; its answer will say what is left there.

    Raises:
        RateLimited: the bucket is empty.
    """
    request.taken = taken = take(rate(name), whose)  # type: ignore[attr-defined]
    if not taken.allowed:
        raise RateLimited(retry_after=max(math.ceil(taken.next_in / SECOND), 1))


def rate(name: str) -> Rate:
    """The rate of this name in the settings."""
    return Rate(name, *settings.RATES[name])


def address_of(request: HttpRequest) -> str:
    """Where a request comes from, as far as that can be believed: what our own outermost proxy saw.

    An address that somebody made up stands left of what our proxies wrote, and is not looked at.
    """
    seen = request.META.get("REMOTE_ADDR", "")
    if settings.NUM_PROXIES:
        told = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        seen = told[-min(settings.NUM_PROXIES, len(told))].strip() or seen
    try:
        address = ipaddress.ip_address(seen)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), IPV6_NETWORK), strict=False))
    return str(address)
