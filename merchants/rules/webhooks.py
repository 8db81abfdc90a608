"""Retry schedule, meaning of responses, and signatures of webhooks (Standard Webhooks 1.0). Pure."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

ENDPOINTS_MAX = 16
#: Deliveries that one request may start again.
REDELIVER_MAX = 10_000
BODY_MAX = 20_000
EXCERPT_MAX = 1_000
OVERLAP = timedelta(hours=24)
OVERLAP_MAX = timedelta(days=7)
#: How many previous secrets may sign beside the current one: each adds a signature to every request.
OLD_SECRETS_MAX = 5
#: Delay after each failed attempt: ten attempts in 75.5 hours.
RETRY_DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
ATTEMPTS_MAX = len(RETRY_DELAYS) + 1
RETRY_AFTER_MAX = timedelta(hours=24)
#: An endpoint is disabled after failing for this long and this many times in a row.
FAILING_FOR_MAX, FAILURES_MIN = timedelta(days=5), 10
_JITTER_STEPS = 1000
_RETRY_AFTER_STATUSES = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one attempt: an HTTP status, or an error code if there was no response."""

    status: int | None
    latency_ms: int
    error: str = ""
    excerpt: str = ""
    retry_after: timedelta | None = None

    @property
    def succeeded(self) -> bool:
        return self.status is not None and not self.error and self.status // 100 == HTTPStatus.OK // 100

    @property
    def is_gone(self) -> bool:
        return self.status == HTTPStatus.GONE and not self.error

    @property
    def reason(self) -> str:
        """Why it failed, as a code: `http_500`, `timeout`, `tls` …"""
        return self.error or f"http_{self.status}"


def retry_delay(tries: int, outcome: Outcome, *, seed: bytes) -> timedelta | None:
    """How long to wait after this many attempts; None after the last.

    Jitter of up to a tenth is added, seeded by the delivery, so that deliveries that failed together are not retried
    together. `Retry-After` of a busy receiver can lengthen the delay, not shorten it.
    """
    if tries >= ATTEMPTS_MAX:
        return None
    delay = RETRY_DELAYS[tries - 1]
    jitter = int.from_bytes(hashlib.sha256(seed + bytes([tries])).digest()[:4], "big") % _JITTER_STEPS
    delay += delay * jitter / (_JITTER_STEPS * 10)
    requested = outcome.retry_after if outcome.status in _RETRY_AFTER_STATUSES else None
    return max(delay, min(requested, RETRY_AFTER_MAX)) if requested else delay


def should_disable(failing_for: timedelta, failures: int) -> bool:
    """Whether an endpoint that has failed for this long, this many times in a row, is disabled."""
    return failing_for >= FAILING_FOR_MAX and failures >= FAILURES_MIN


def new_secret() -> str:
    """`whsec_…` with 256 random bits."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(keys: Iterable[str], webhook_id: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64>` for each secret, separated by spaces: while a secret is rotated, old and new are valid."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return " ".join("v1," + base64.b64encode(_hmac(key, signed)).decode() for key in keys)


def _hmac(secret: str, signed: bytes) -> bytes:
    return hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")


def excerpt(raw: bytes) -> str:
    """The beginning of a response as text that is safe to store and to show."""
    text = raw[: EXCERPT_MAX * 4].decode("utf-8", "replace")
    printable = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
    return printable.encode()[:EXCERPT_MAX].decode("utf-8", "ignore")
