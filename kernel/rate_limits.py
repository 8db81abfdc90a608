"""Rate limits: one token bucket per name, refilled at an even pace (GCRA), stored in Valkey.

A Lua script checks and takes atomically, by Valkey's clock, so that any number of web processes share a bucket. While
Valkey is unavailable each process counts by itself and retries Valkey every few seconds: limits are then multiplied by
the number of processes, but no request waits.
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

TIMEOUT_SECONDS = 0.25
#: How long to wait after a failure before Valkey is tried again.
RETRY_AFTER_SECONDS = 5.0
#: The most buckets a process keeps while Valkey is unavailable; the oldest are dropped.
LOCAL_BUCKETS_MAX = 10_000
#: IPv6 addresses are counted per /64 network, because one person has a whole one.
IPV6_NETWORK = 64
MICROSECONDS = 1_000_000
log = structlog.get_logger(__name__)

#: A bucket is stored as the time (µs) at which it will be full. Returns 1 or 0 (allowed), tokens left, µs until it is
#: full, and µs until the next token. A time that no bucket can have is from before the clock was set back or the rate
#: lowered: the bucket then counts as empty.
TAKE_SCRIPT = """
local pace, quota = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local stored = tonumber(redis.call('GET', KEYS[1]) or '0')
local full = math.min(math.max(stored, now), now + pace * quota)
local taken = full + pace
local room = now + pace * quota - taken
if room < 0 then
  if full < stored then
    redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
  end
  return {0, 0, full - now, -room}
end
redis.call('SET', KEYS[1], string.format('%.0f', taken), 'PX', math.ceil((taken - now) / 1000))
return {1, math.floor(room / pace), taken - now, 0}
"""


class RateLimited(Refusal):
    """This API key or address has made too many requests."""

    code, status, title, is_transient = "rate_limited", 429, "Too many requests.", True


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `quota` at once, and as many again within each `window` seconds."""

    name: str
    quota: int
    window: int

    @property
    def pace(self) -> int:
        """µs until one token is refilled."""
        return max(self.window * MICROSECONDS // self.quota, 1)


@dataclass(frozen=True, slots=True)
class RateLimitResult:
    """The result of taking a token."""

    rate: Rate
    allowed: bool
    left: int
    full_in_us: int
    next_in_us: int

    def set_headers(self, response: HttpResponse) -> None:
        """Set the two headers of draft-ietf-httpapi-ratelimit-headers."""
        response["RateLimit-Policy"] = f'"{self.rate.name}";q={self.rate.quota};w={self.rate.window}'
        response["RateLimit"] = f'"{self.rate.name}";r={self.left};t={math.ceil(self.full_in_us / MICROSECONDS)}'


def take_from_bucket(full: int, now: int, rate: Rate) -> tuple[int, RateLimitResult]:
    """The script's arithmetic in Python: returns the bucket afterwards, and the result."""
    full = min(max(full, now), now + rate.pace * rate.quota)
    taken = full + rate.pace
    room = now + rate.pace * rate.quota - taken
    if room < 0:
        return full, RateLimitResult(rate, allowed=False, left=0, full_in_us=full - now, next_in_us=-room)
    return taken, RateLimitResult(rate, allowed=True, left=room // rate.pace, full_in_us=taken - now, next_in_us=0)


class Buckets:
    """All buckets: in Valkey, or in this process while Valkey is unavailable."""

    def __init__(self, url: str) -> None:
        patience = {"socket_connect_timeout": TIMEOUT_SECONDS, "socket_timeout": TIMEOUT_SECONDS}
        self.server = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **patience)
        self.script = self.server.register_script(TAKE_SCRIPT)
        self.local: OrderedDict[str, int] = OrderedDict()
        self.lock = threading.Lock()
        #: When to try Valkey again after a failure; 0 while it answers.
        self.retry_at = 0.0

    def take(self, rate: Rate, subject: str) -> RateLimitResult:
        """Take one token from this bucket, if there is one."""
        name = f"bnpl:rate:{rate.name}:{subject}"
        if not self.may_try():
            return self.take_locally(rate, name)
        try:
            allowed, left, full_in, next_in = self.script(keys=[name], args=[rate.pace, rate.quota])
        except redis.RedisError as missed:
            self.retry_at = time.monotonic() + RETRY_AFTER_SECONDS
            log.warning("buckets_counted_here", error=type(missed).__name__, seconds=RETRY_AFTER_SECONDS)
            return self.take_locally(rate, name)
        self.retry_at = 0.0
        return RateLimitResult(rate, allowed=bool(allowed), left=left, full_in_us=full_in, next_in_us=next_in)

    def may_try(self) -> bool:
        """Whether to try Valkey: always while it answers, and after a failure only one thread every few seconds.

        The others do not wait with that one, which may take long: a hanging name lookup has no time limit.
        """
        if not self.retry_at:
            return True
        with self.lock:
            now = time.monotonic()
            if now < self.retry_at:
                return False
            self.retry_at = now + RETRY_AFTER_SECONDS
            return True

    def take_locally(self, rate: Rate, name: str) -> RateLimitResult:
        with self.lock:
            now = time.monotonic_ns() // 1000
            self.local[name], taken = take_from_bucket(self.local.pop(name, 0), now, rate)
            if len(self.local) > LOCAL_BUCKETS_MAX:
                self.local.popitem(last=False)
        return taken


@lru_cache(maxsize=4)
def buckets(url: str) -> Buckets:
    return Buckets(url)


def take_token(rate: Rate, subject: str) -> RateLimitResult:
    """Take one token from the subject's bucket for this rate."""
    return buckets(str(settings.CACHES["default"]["LOCATION"])).take(rate, subject)


def enforce_rate_limit(request: HttpRequest, name: str, subject: str) -> None:
    """Count this request against the subject's bucket; the response headers will show what is left.

    Raises:
        RateLimited: the bucket is empty.
    """
    result = take_token(get_rate(name), subject)
    request.rate_limit = result  # type: ignore[attr-defined]
    if not result.allowed:
        raise RateLimited(retry_after=max(math.ceil(result.next_in_us / MICROSECONDS), 1))


def get_rate(name: str) -> Rate:
    """The rate with this name in the settings."""
    return Rate(name, *settings.RATES[name])


def client_address(request: HttpRequest) -> str:
    """The client's address as our outermost proxy saw it.

    Addresses that the client itself put into X-Forwarded-For are left of those our proxies added, and are ignored.
    """
    seen = request.META.get("REMOTE_ADDR", "")
    if settings.NUM_PROXIES:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        seen = forwarded[-min(settings.NUM_PROXIES, len(forwarded))].strip() or seen
    try:
        address = ipaddress.ip_address(seen)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), IPV6_NETWORK), strict=False))
    return str(address)
