"""Return URLs: where a person goes after signing an agreement or confirming an order, with the signed outcome.

The signing secret belongs to one agreement. The merchant gets it when creating the agreement (`return_secret`); the
person never sees it. It is derived from the agreement's id and a key of this instance, so it is neither stored nor
rotated.
"""

import base64
import re
from datetime import datetime
from urllib.parse import unquote_plus, urlencode, urlsplit

from credit.models import Agreement
from kernel import encryption
from merchants.rules.webhooks import signature

#: Characters no URL may contain: white space, control characters, backslashes.
_FORBIDDEN_CHARS = re.compile(r"[\s\x00-\x1f\x7f\\]")
PURPOSE = "credit.agreement.return"


def return_secret_of(agreement: Agreement) -> str:
    """The secret that signs the agreement's return URLs, in the format of a webhook secret."""
    return "whsec_" + base64.b64encode(encryption.blind_index(agreement.public_id, purpose=PURPOSE)).decode()


def return_host(agreement: Agreement) -> str:
    """The host of the agreement's return URL; empty unless it is a plain web address."""
    return parse_host(agreement.return_url)


def parse_host(address: str) -> str:
    """The host of a plain web address; empty for anything else, e.g. one with a user name or password."""
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return ""
    plain = parts.scheme in {"http", "https"} and "@" not in parts.netloc and _FORBIDDEN_CHARS.search(address) is None
    return host if plain and host else ""


def signed_return_url(agreement: Agreement, *, order: tuple[str, str] | None = None, at: datetime) -> str:
    """The merchant's return URL with the outcome in its query: agreement, state, timestamp and signature.

    With `order`, a public id and state, those replace the agreement's. The merchant's other parameters stay as they are
    written, in whatever encoding. Only the stored URL is used, nothing of the person's request. `at` is real time, as
    with webhooks, because merchants verify it with their own clock. Empty without a return URL.
    """
    if not return_host(agreement):
        return ""
    name, state = order or (agreement.public_id, str(agreement.state))
    seconds = int(at.timestamp())
    outcome = {
        "order" if order else "agreement": name,
        "state": state,
        "timestamp": str(seconds),
        "signature": signature([return_secret_of(agreement)], name, seconds, state.encode()),
    }
    parts = urlsplit(agreement.return_url)
    replaced = {*outcome, "agreement"}
    kept = [pair for pair in parts.query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in replaced]
    return parts._replace(query="&".join([*kept, urlencode(outcome)])).geturl()
