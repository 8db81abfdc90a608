"""The way back to a merchant, with the outcome of a signing or of an order's confirming in it, signed under a secret
of that agreement alone.

The merchant was given the secret when it asked for the agreement (`return_secret`); the person never sees it. It is
made from the agreement's id and a key of this instance, so there is none to store, to rotate or to lose.
"""

import base64
import re
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from credit.models import Agreement
from kernel import encryption
from merchants.rules.webhooks import signature

#: What no address has in it: spaces, line breaks and what cannot be seen.
_UNSPEAKABLE = re.compile(r"[\s\x00-\x1f\x7f\\]")
PURPOSE = "credit.agreement.return"


def secret_of(agreement: Agreement) -> str:
    """What signs the way back of this agreement, in the form of a webhook's secret."""
    return "whsec_" + base64.b64encode(encryption.blind(agreement.public_id, purpose=PURPOSE)).decode()


def host_of(agreement: Agreement) -> str:
    """Where the way back leads to; empty unless the merchant named a plain web address."""
    return host_in(agreement.return_url)


def host_in(address: str) -> str:
    """The host of a plain web address; empty for anything else, such as one with a name and password in it."""
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return ""
    plain = parts.scheme in {"http", "https"} and "@" not in parts.netloc and _UNSPEAKABLE.search(address) is None
    return host if plain and host else ""


def way_back(agreement: Agreement, *, order: tuple[str, str] | None = None, at: datetime) -> str:
    """The merchant's own address with the outcome in its query: agreement, state, timestamp and signature.

    Where an `order` under it was asked about, by its public id and state, that stands in place of the agreement. Only
    what the merchant stored counts, never anything of the person's request. `at` is real time, as with webhooks:
    whoever verifies it has no other clock. Empty where there is no way back.
    """
    if not host_of(agreement):
        return ""
    name, state = order or (agreement.public_id, str(agreement.state))
    seconds = int(at.timestamp())
    outcome = {
        "order" if order else "agreement": name,
        "state": state,
        "timestamp": str(seconds),
        "signature": signature([secret_of(agreement)], name, seconds, state.encode()),
    }
    parts = urlsplit(agreement.return_url)
    asked = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in {*outcome, "agreement"}]
    return parts._replace(query=urlencode([*asked, *outcome.items()])).geturl()
