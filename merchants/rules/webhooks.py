"""When a webhook is sent again, what an answer means, and how it is signed (Standard Webhooks 1.0). Pure."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

ENDPOINTS_MAX = 16
#: Events of one request to send again.
REDELIVER_MAX = 10_000
BODY_MAX = 20_000
EXCERPT_MAX = 1_000
OVERLAP = timedelta(hours=24)
OVERLAP_MAX = timedelta(days=7)
#: So many secrets before the present one may sign as well: each is a signature more on every request.
OLD_SECRETS_MAX = 5
#: How long after each try that failed the next one is made: ten tries in 75 hours and a half.
WAITS = (
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
TRIES_MAX = len(WAITS) + 1
RETRY_AFTER_MAX = timedelta(hours=24)
#: An endpoint that did nothing but fail for so long, and so often, is switched off.
FAILING_MAX, FAILURES_MIN = timedelta(days=5), 10
_SPREAD = 1000
_WAITS_FOR = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back from one try: a status, or why there is none."""

    status: int | None
    latency_ms: int
    error: str = ""
    excerpt: str = ""
    retry_after: timedelta | None = None

    @property
    def good(self) -> bool:
        return self.status is not None and not self.error and self.status // 100 == HTTPStatus.OK // 100

    @property
    def gone(self) -> bool:
        return self.status == HTTPStatus.GONE and not self.error

    @property
    def reason(self) -> str:
        """Why it failed, in one word: `http_500`, `timeout`, `tls` …"""
        return self.error or f"http_{self.status}"


def wait_after(tries: int, outcome: Outcome, *, seed: bytes) -> timedelta | None:
    """How long to wait after so many tries; None when that was the last.

    Up to a tenth is added, by the delivery, so that what failed together does not come back together. `Retry-After` of
    a receiver that is busy puts it off further, and never brings it nearer.
    """
    if tries >= TRIES_MAX:
        return None
    wait = WAITS[tries - 1]
    drawn = int.from_bytes(hashlib.sha256(seed + bytes([tries])).digest()[:4], "big") % _SPREAD
    wait += wait * drawn / (_SPREAD * 10)
    asked = outcome.retry_after if outcome.status in _WAITS_FOR else None
    return max(wait, min(asked, RETRY_AFTER_MAX)) if asked else wait


def given_out(failing_for: timedelta, failures: int) -> bool:
    """Whether an endpoint that has failed so long, so many times in a row, is to be switched off."""
    return failing_for >= FAILING_MAX and failures >= FAILURES_MIN


def new_secret() -> str:
    """`whsec_…` with 256 random bits."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(keys: Iterable[str], webhook_id: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64>` under each secret, a space between: while one is exchanged for the next, both hold."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return " ".join("v1," + base64.b64encode(_mac(key, signed)).decode() for key in keys)


def _mac(secret: str, signed: bytes) -> bytes:
    return hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")


def excerpt(raw: bytes) -> str:
    """The beginning of an answer as text that is safe to keep and to show."""
    text = raw[: EXCERPT_MAX * 4].decode("utf-8", "replace")
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
    return shown.encode()[:EXCERPT_MAX].decode("utf-8", "ignore")
