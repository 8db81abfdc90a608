"""Reads and validates environment variables. Production refuses to start on a default, naming the variable."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from logging import getLevelNamesMapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured

POSTURES = ("local", "test", "production")
INSECURE = "insecure"  # every placeholder secret starts with this word, so that production can detect it
PLACEHOLDER_KEY = base64.b64encode(b"insecure stand-in, 32 bytes long").decode()
SECRET_LENGTH_MIN = 50
TOKEN_LENGTH_MIN = 32
KEY_BYTES = 32
DISTINCT_BYTES_MIN = 12  # 32 random bytes hold fewer different values less often than once in 10^13
SESSION_TIMEOUTS = "-c statement_timeout=5s -c lock_timeout=2s -c idle_in_transaction_session_timeout=10s"
# A server that vanished without closing the connection is noticed within seconds; libpq's own timeouts are hours.
CONNECTION_OPTIONS = {
    "connect_timeout": "3",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "tcp_user_timeout": "15000",
}


@dataclass(frozen=True, slots=True)
class Environment:
    """The process's variables under one of three postures; the default is production."""

    values: Mapping[str, str]

    @property
    def posture(self) -> str:
        posture = self.values.get("BNPL_POSTURE", "production")
        if posture not in POSTURES:
            raise ImproperlyConfigured(f"BNPL_POSTURE is {posture!r}; it must be one of {', '.join(POSTURES)}.")
        return posture

    @property
    def is_production(self) -> bool:
        return self.posture == "production"

    def get_text(self, name: str, default: str = "") -> str:
        return self.values.get(name, "").strip() or default

    def get_int(self, name: str, default: int) -> int:
        text = self.get_text(name, str(default))
        if not text.isascii() or not text.isdigit():
            raise ImproperlyConfigured(f"{name} is {text!r}; it must be a whole number.")
        return int(text)

    def get_rate(self, name: str, default: str) -> tuple[int, int]:
        """A rate limit as (requests, seconds), written `600/60`."""
        quota, slash, window = self.get_text(name, default).partition("/")
        if not slash or not all(part.isascii() and part.isdigit() and int(part) for part in (quota, window)):
            raise ImproperlyConfigured(f"{name} must read requests/seconds, such as 600/60.")
        return int(quota), int(window)

    def get_flag(self, name: str) -> bool:
        text = self.get_text(name, "0").lower()
        if text not in {"0", "1", "false", "true", "no", "yes"}:
            raise ImproperlyConfigured(f"{name} is {text!r}; it must be 1 or 0.")
        return text in {"1", "true", "yes"}

    def production_flag(self, name: str) -> bool:
        """A flag that is on by default in production and off elsewhere."""
        return self.get_flag(name) if self.get_text(name) else self.is_production

    def nonproduction_flag(self, name: str) -> bool:
        """A flag that is on by default outside production, and not allowed in production."""
        if self.is_production and self.get_flag(name):
            raise ImproperlyConfigured(f"{name} is on; production does not start with it.")
        return not self.is_production and (self.get_flag(name) or not self.get_text(name))

    def phone_prefixes(self, name: str) -> tuple[str, ...]:
        """Prefixes of phone numbers without their +, written `86,852`. Unset allows every number."""
        texts = [text.strip() for text in self.get_text(name).split(",") if text.strip()]
        if not all(text.isascii() and text.isdigit() for text in texts):
            raise ImproperlyConfigured(f"{name} must read as the beginnings of phone numbers, such as 86,852.")
        return tuple(texts)

    def get_ports(self, name: str, default: str) -> frozenset[int]:
        texts = [text.strip() for text in self.get_text(name, default).split(",")]
        if not all(text.isascii() and text.isdigit() and 0 < int(text) < 2**16 for text in texts):
            raise ImproperlyConfigured(f"{name} must read as port numbers, such as 443,8443.")
        return frozenset(map(int, texts))

    def required(self, name: str, default: str) -> str:
        """A variable that production requires; local and test postures fall back on `default`."""
        if self.is_production and not self.get_text(name):
            raise ImproperlyConfigured(f"{name} is missing; production does not start without it.")
        return self.get_text(name, default)

    def secret_key(self) -> str:
        key = self.required("SECRET_KEY", INSECURE + "-and-public-used-only-by-tests-and-code-checks")
        if self.is_production and (INSECURE in key or len(key) < SECRET_LENGTH_MIN):
            raise ImproperlyConfigured(
                f"SECRET_KEY is a default or shorter than {SECRET_LENGTH_MIN} characters; give production its own."
            )
        return key

    def secret_key_fallbacks(self) -> list[str]:
        """Former keys: nothing new is signed with them, and existing signatures stay valid."""
        keys = [key.strip() for key in self.get_text("SECRET_KEY_FALLBACKS").split(",") if key.strip()]
        if self.is_production and any(INSECURE in key or len(key) < SECRET_LENGTH_MIN for key in keys):
            raise ImproperlyConfigured(
                f"SECRET_KEY_FALLBACKS has a default, or one shorter than {SECRET_LENGTH_MIN} characters."
            )
        return keys

    def metrics_token(self) -> str:
        """The token a metrics collector sends; empty when /metrics is disabled."""
        token = self.get_text("METRICS_TOKEN")
        if self.is_production and token and len(token) < TOKEN_LENGTH_MIN:
            raise ImproperlyConfigured(f"METRICS_TOKEN is shorter than {TOKEN_LENGTH_MIN} characters.")
        return token

    def debug(self) -> bool:
        if self.is_production and self.get_flag("DEBUG"):
            raise ImproperlyConfigured("DEBUG is on; production does not start with it.")
        return self.get_flag("DEBUG")

    def base_url(self) -> str:
        """The platform's public URL, without a trailing slash."""
        address = self.required("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
        parts = urlsplit(address)
        if self.is_production and parts.scheme != "https":
            raise ImproperlyConfigured("BASE_URL is not https; production does not start on plain http.")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query:
            raise ImproperlyConfigured(f"BASE_URL is {address!r}; it must be a scheme and a host, nothing more.")
        return address

    def decode_key(self, name: str, text: str) -> bytes:
        """Decode a key of 32 random bytes in base64. Production refuses anything else, and placeholders."""
        try:
            raw = base64.b64decode(text, validate=True)
        except binascii.Error:
            raw = b""
        if len(raw) != KEY_BYTES:
            raise ImproperlyConfigured(f"{name} must hold {KEY_BYTES} random bytes in base64.")
        if self.is_production and (raw.startswith(INSECURE.encode()) or len(set(raw)) < DISTINCT_BYTES_MIN):
            raise ImproperlyConfigured(f"{name} holds a placeholder; give production random bytes of its own.")
        return raw

    def pii_keys(self) -> dict[str, bytes]:
        """Encryption keys of personal data by id; the first one encrypts: `k2:<base64>,k1:<base64>`."""
        return self.named_keys("PII_KEYS", "k1")

    def proof_keys(self) -> dict[str, bytes]:
        """Ed25519 keys of signed proofs by id; the first one signs."""
        return self.named_keys("PROOF_KEYS", "p1")

    def named_keys(self, name: str, placeholder_id: str) -> dict[str, bytes]:
        keys: dict[str, bytes] = {}
        for part in self.required(name, f"{placeholder_id}:{PLACEHOLDER_KEY}").split(","):
            key_id, colon, text = part.strip().partition(":")
            if not colon or not key_id or key_id in keys:
                raise ImproperlyConfigured(f"{name} must read id:base64, and each id may stand there once.")
            keys[key_id] = self.decode_key(name, text)
        return keys

    def blind_index_key(self) -> bytes:
        return self.decode_key("BLIND_INDEX_KEY", self.required("BLIND_INDEX_KEY", PLACEHOLDER_KEY))

    def allowed_hosts(self) -> list[str]:
        """The Host headers we answer to: that of BASE_URL, and those in ALLOWED_HOSTS."""
        extra = [host.strip() for host in self.get_text("ALLOWED_HOSTS").split(",") if host.strip()]
        if self.is_production and "*" in extra:
            raise ImproperlyConfigured("ALLOWED_HOSTS is *; production answers only to names it knows.")
        own = [urlsplit(self.base_url()).hostname or ""]
        return [*own, *extra, *([] if self.is_production else ["127.0.0.1", "localhost", "[::1]"])]

    def time_zone(self, name: str, default: str) -> str:
        """The name of an existing time zone."""
        zone = self.get_text(name, default)
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ImproperlyConfigured(f"{name} must name a time zone, such as {default}.") from None
        return zone

    def log_level(self) -> str:
        level = self.get_text("LOG_LEVEL", "INFO")
        if level not in getLevelNamesMapping():
            raise ImproperlyConfigured("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
        return level

    def database(self) -> dict[str, Any]:
        """Django's DATABASES entry, from DATABASE_URL and, when set, DATABASE_ROLE."""
        text = self.required("DATABASE_URL", "postgresql:///bnpl")
        parts = parse_server_url("DATABASE_URL", text, ("postgresql", "postgres"))
        if not parts.path.strip("/"):
            raise ImproperlyConfigured("DATABASE_URL names no database.")
        options = {**CONNECTION_OPTIONS, **dict(parse_qsl(parts.query))}
        host = options.pop("host", "")  # a Unix socket's folder: postgresql://user@/name?host=/folder
        port = options.pop("port", "")
        if role := self.get_text("DATABASE_ROLE"):
            # A role's own settings apply at login only and not after SET ROLE, so the timeouts are set here.
            options["options"] = f"-c role={role} {SESSION_TIMEOUTS}"
        return {
            "ENGINE": "kernel.postgres",  # django.db.backends.postgresql with a cheaper connection health check
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or host,
            "PORT": str(parts.port or port),
            "OPTIONS": options,
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
            "DISABLE_SERVER_SIDE_CURSORS": True,  # pgbouncer pools by transaction, not by session
        }

    def broker_url(self) -> str:
        return self.redis_url("REDIS_URL", self.required("REDIS_URL", "redis://127.0.0.1:6379/0"))

    def cache_url(self) -> str:
        """The cache's URL, by default the database after the broker's: clearing the cache empties its database."""
        return self.redis_url("CACHE_URL", self.get_text("CACHE_URL") or next_database_url(self.broker_url()))

    def redis_url(self, name: str, text: str) -> str:
        parts = parse_server_url(name, text, ("redis", "rediss", "unix"))
        if parts.scheme != "unix" and not (parts.path.strip("/") or "0").isdigit():
            raise ImproperlyConfigured(f"{name} must end with the number of a database, such as /0.")
        if parts.scheme != "unix" and "db" in dict(parse_qsl(parts.query, keep_blank_values=True)):
            # Clients prefer it to the path: broker and cache would be one database, which clearing the cache empties.
            raise ImproperlyConfigured(f"{name} must name its database at the end of the path, not as ?db=.")
        return text


def parse_server_url(name: str, text: str, schemes: tuple[str, ...]) -> SplitResult:
    """Parse a server's URL. Errors do not quote it, because it contains a password.

    Raises:
        ImproperlyConfigured: its scheme is none of `schemes`, or it is not a valid URL.
    """
    parts = urlsplit(text)
    if parts.scheme not in schemes:
        raise ImproperlyConfigured(f"{name} must begin with {schemes[0]}://.")
    try:
        parts.port  # noqa: B018  parsed on access
    except ValueError:
        is_valid = False
    else:
        is_valid = not parts.fragment
    if not is_valid:
        raise ImproperlyConfigured(f"{name} does not read as an address: in a password / is %2F, # %23, ? %3F, @ %40.")
    return parts


def next_database_url(url: str) -> str:
    """The next numbered database on the same Redis or Valkey."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        query = dict(parse_qsl(parts.query))
        following = {**query, "db": str(int(query.get("db", "0")) + 1)}
        return f"unix://{parts.netloc}{parts.path}?{urlencode(following)}"
    return urlunsplit(parts._replace(path=f"/{int(parts.path.strip('/') or '0') + 1}"))


def celery_broker_url(url: str) -> str:
    """The broker's URL as Celery spells it: Unix sockets differ, and TLS verifies certificates only when told to.

    Any other URL is unchanged.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "rediss":
        return urlunsplit(parts._replace(query=urlencode({"ssl_cert_reqs": "required", **query})))
    if parts.scheme != "unix":
        return url
    options = {"virtual_host": query.pop("db", "0"), **query}
    return f"redis+socket://{parts.netloc}{parts.path}?{urlencode(options)}"
