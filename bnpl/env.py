"""The environment, read and judged: production refuses to start on a default, and says which variable is to blame."""

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
INSECURE = "insecure"  # every stand-in secret starts with this word, so that production can tell it from a real one
STAND_IN_KEY = base64.b64encode(b"insecure stand-in, 32 bytes long").decode()
SECRET_LENGTH_MIN = 50
TOKEN_LENGTH_MIN = 32
KEY_BYTES = 32
DISTINCT_BYTES_MIN = 12  # 32 random bytes hold fewer different values less often than once in 10^13
APP_TIMEOUTS = "-c statement_timeout=5s -c lock_timeout=2s -c idle_in_transaction_session_timeout=10s"
# A server that vanished without a word is noticed within seconds; libpq itself would wait for hours.
PATIENCE = {"connect_timeout": "3", "keepalives_idle": "10", "keepalives_interval": "5", "tcp_user_timeout": "15000"}


@dataclass(frozen=True, slots=True)
class Environment:
    """The process's variables under one of three postures; production is what you get by saying nothing."""

    values: Mapping[str, str]

    @property
    def posture(self) -> str:
        posture = self.values.get("BNPL_POSTURE", "production")
        if posture not in POSTURES:
            raise ImproperlyConfigured(f"BNPL_POSTURE is {posture!r}; it must be one of {', '.join(POSTURES)}.")
        return posture

    @property
    def production(self) -> bool:
        return self.posture == "production"

    def text(self, name: str, default: str = "") -> str:
        return self.values.get(name, "").strip() or default

    def number(self, name: str, default: int) -> int:
        text = self.text(name, str(default))
        if not text.isascii() or not text.isdigit():
            raise ImproperlyConfigured(f"{name} is {text!r}; it must be a whole number.")
        return int(text)

    def rate(self, name: str, default: str) -> tuple[int, int]:
        """So many in so many seconds: `600/60`."""
        quota, slash, window = self.text(name, default).partition("/")
        if not slash or not all(part.isascii() and part.isdigit() and int(part) for part in (quota, window)):
            raise ImproperlyConfigured(f"{name} must read requests/seconds, such as 600/60.")
        return int(quota), int(window)

    def flag(self, name: str) -> bool:
        text = self.text(name, "0").lower()
        if text not in {"0", "1", "false", "true", "no", "yes"}:
            raise ImproperlyConfigured(f"{name} is {text!r}; it must be 1 or 0.")
        return text in {"1", "true", "yes"}

    def hardened(self, name: str) -> bool:
        """What is on in production and off elsewhere, unless the variable says otherwise."""
        return self.flag(name) if self.text(name) else self.production

    def at_home(self, name: str) -> bool:
        """What is let pass at home and in tests, unless switched off there, and never in production."""
        if self.production and self.flag(name):
            raise ImproperlyConfigured(f"{name} is on; production does not start with it.")
        return not self.production and (self.flag(name) or not self.text(name))

    def prefixes(self, name: str) -> tuple[str, ...]:
        """How numbers begin, without their +: `86,852`. Nothing said is every number."""
        texts = [text.strip() for text in self.text(name).split(",") if text.strip()]
        if not all(text.isascii() and text.isdigit() for text in texts):
            raise ImproperlyConfigured(f"{name} must read as the beginnings of phone numbers, such as 86,852.")
        return tuple(texts)

    def ports(self, name: str, default: str) -> frozenset[int]:
        texts = [text.strip() for text in self.text(name, default).split(",")]
        if not all(text.isascii() and text.isdigit() and 0 < int(text) < 2**16 for text in texts):
            raise ImproperlyConfigured(f"{name} must read as port numbers, such as 443,8443.")
        return frozenset(map(int, texts))

    def needed(self, name: str, elsewhere: str) -> str:
        """A variable production cannot do without; local and test postures fall back on `elsewhere`."""
        if self.production and not self.text(name):
            raise ImproperlyConfigured(f"{name} is missing; production does not start without it.")
        return self.text(name, elsewhere)

    def secret_key(self) -> str:
        key = self.needed("SECRET_KEY", INSECURE + "-and-public-used-only-by-tests-and-code-checks")
        if self.production and (INSECURE in key or len(key) < SECRET_LENGTH_MIN):
            raise ImproperlyConfigured(
                f"SECRET_KEY is a default or shorter than {SECRET_LENGTH_MIN} characters; give production its own."
            )
        return key

    def secret_key_fallbacks(self) -> list[str]:
        """Keys under which nothing is signed any more, and what was signed still counts."""
        keys = [key.strip() for key in self.text("SECRET_KEY_FALLBACKS").split(",") if key.strip()]
        if self.production and any(INSECURE in key or len(key) < SECRET_LENGTH_MIN for key in keys):
            raise ImproperlyConfigured(
                f"SECRET_KEY_FALLBACKS has a default, or one shorter than {SECRET_LENGTH_MIN} characters."
            )
        return keys

    def metrics_token(self) -> str:
        """What a collector of figures shows; empty when /metrics is not to be had."""
        token = self.text("METRICS_TOKEN")
        if self.production and token and len(token) < TOKEN_LENGTH_MIN:
            raise ImproperlyConfigured(f"METRICS_TOKEN is shorter than {TOKEN_LENGTH_MIN} characters.")
        return token

    def debug(self) -> bool:
        if self.production and self.flag("DEBUG"):
            raise ImproperlyConfigured("DEBUG is on; production does not start with it.")
        return self.flag("DEBUG")

    def base_url(self) -> str:
        """The address people and merchants reach us at, without a slash at its end."""
        address = self.needed("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
        parts = urlsplit(address)
        if self.production and parts.scheme != "https":
            raise ImproperlyConfigured("BASE_URL is not https; production does not start on plain http.")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query:
            raise ImproperlyConfigured(f"BASE_URL is {address!r}; it must be a scheme and a host, nothing more.")
        return address

    def key(self, name: str, text: str) -> bytes:
        """32 random bytes in base64: anything else, and any stand-in, stops production."""
        try:
            raw = base64.b64decode(text, validate=True)
        except binascii.Error:
            raw = b""
        if len(raw) != KEY_BYTES:
            raise ImproperlyConfigured(f"{name} must hold {KEY_BYTES} random bytes in base64.")
        if self.production and (raw.startswith(INSECURE.encode()) or len(set(raw)) < DISTINCT_BYTES_MIN):
            raise ImproperlyConfigured(f"{name} holds a placeholder; give production random bytes of its own.")
        return raw

    def pii_keys(self) -> dict[str, bytes]:
        """Keys of personal data by their id, the one that encrypts first: `k2:<base64>,k1:<base64>`."""
        return self.named_keys("PII_KEYS", "k1")

    def proof_keys(self) -> dict[str, bytes]:
        """Ed25519 keys of signed proofs by their id, the one that signs first."""
        return self.named_keys("PROOF_KEYS", "p1")

    def named_keys(self, name: str, stand_in: str) -> dict[str, bytes]:
        keys: dict[str, bytes] = {}
        for part in self.needed(name, f"{stand_in}:{STAND_IN_KEY}").split(","):
            key_id, colon, text = part.strip().partition(":")
            if not colon or not key_id or key_id in keys:
                raise ImproperlyConfigured(f"{name} must read id:base64, and each id may stand there once.")
            keys[key_id] = self.key(name, text)
        return keys

    def blind_index_key(self) -> bytes:
        return self.key("BLIND_INDEX_KEY", self.needed("BLIND_INDEX_KEY", STAND_IN_KEY))

    def hosts(self) -> list[str]:
        """The Host headers we answer to: BASE_URL's own unless ALLOWED_HOSTS says more."""
        named = [host.strip() for host in self.text("ALLOWED_HOSTS").split(",") if host.strip()]
        if self.production and "*" in named:
            raise ImproperlyConfigured("ALLOWED_HOSTS is *; production answers only to names it knows.")
        own = [urlsplit(self.base_url()).hostname or ""]
        return [*own, *named, *([] if self.production else ["127.0.0.1", "localhost", "[::1]"])]

    def zone(self, name: str, default: str) -> str:
        """The name of a time zone that there is."""
        zone = self.text(name, default)
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ImproperlyConfigured(f"{name} must name a time zone, such as {default}.") from None
        return zone

    def log_level(self) -> str:
        level = self.text("LOG_LEVEL", "INFO")
        if level not in getLevelNamesMapping():
            raise ImproperlyConfigured("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
        return level

    def database(self) -> dict[str, Any]:
        """Django's settings of the one database, from DATABASE_URL and, when set, DATABASE_ROLE."""
        text = self.needed("DATABASE_URL", "postgresql:///bnpl")
        parts = address_of("DATABASE_URL", text, ("postgresql", "postgres"))
        if not parts.path.strip("/"):
            raise ImproperlyConfigured("DATABASE_URL names no database.")
        options = {**PATIENCE, **dict(parse_qsl(parts.query))}
        host = options.pop("host", "")  # a Unix socket's folder: postgresql://user@/name?host=/folder
        port = options.pop("port", "")
        if role := self.text("DATABASE_ROLE"):
            # Settings of a role count at sign-in only, not after SET ROLE: the limits must ride along here.
            options["options"] = f"-c role={role} {APP_TIMEOUTS}"
        return {
            "ENGINE": "kernel.postgres",  # django.db.backends.postgresql, with a cheaper look at its line
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or host,
            "PORT": str(parts.port or port),
            "OPTIONS": options,
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
            "DISABLE_SERVER_SIDE_CURSORS": True,  # pgbouncer hands a transaction, not a session
        }

    def broker(self) -> str:
        return self.valkey("REDIS_URL", self.needed("REDIS_URL", "redis://127.0.0.1:6379/0"))

    def cache(self) -> str:
        """The cache's own database beside the broker's: clearing a cache empties the database it lives in."""
        return self.valkey("CACHE_URL", self.text("CACHE_URL") or neighbour(self.broker()))

    def valkey(self, name: str, text: str) -> str:
        parts = address_of(name, text, ("redis", "rediss", "unix"))
        if parts.scheme != "unix" and not (parts.path.strip("/") or "0").isdigit():
            raise ImproperlyConfigured(f"{name} must end with the number of a database, such as /0.")
        return text


def address_of(name: str, text: str, schemes: tuple[str, ...]) -> SplitResult:
    """The parts of a server's address. What is wrong with it is said without a word of it: there is a password inside.

    Raises:
        ImproperlyConfigured: it does not begin as one of `schemes`, or does not read as an address.
    """
    parts = urlsplit(text)
    if parts.scheme not in schemes:
        raise ImproperlyConfigured(f"{name} must begin with {schemes[0]}://.")
    try:
        parts.port  # noqa: B018  it is read when it is asked for
    except ValueError:
        readable = False
    else:
        readable = not parts.fragment
    if not readable:
        raise ImproperlyConfigured(f"{name} does not read as an address: in a password / is %2F, # %23, ? %3F, @ %40.")
    return parts


def neighbour(url: str) -> str:
    """The next numbered database on the same Redis or Valkey."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        query = dict(parse_qsl(parts.query))
        return f"unix://{parts.path}?db={int(query.get('db', '0')) + 1}"
    return urlunsplit(parts._replace(path=f"/{int(parts.path.strip('/') or '0') + 1}"))


def celery_address(url: str) -> str:
    """Celery's spelling of a Unix socket, and of TLS: without a word of it, it would take anybody's certificate.

    Any other address is the same for both.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "rediss":
        return urlunsplit(parts._replace(query=urlencode({"ssl_cert_reqs": "required", **query})))
    if parts.scheme != "unix":
        return url
    return f"redis+socket://{parts.path}?virtual_host={query.get('db', '0')}"
