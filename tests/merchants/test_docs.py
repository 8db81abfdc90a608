"""The code examples in docs/webhooks.md work."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from merchants.rules.events import EVENT_TYPES
from merchants.rules.webhooks import RETRY_DELAYS, new_secret, signature

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["with a library", "by hand"])
def test_receivers_accept_only_valid_signatures(snippet: str) -> None:
    place: dict[str, Any] = {}
    exec(snippet, place)  # noqa: S102  the page's own words
    old, new, body, now = new_secret(), new_secret(), '{"type": "order.opened", "名": 1}'.encode(), int(time.time())  # noqa: TID251
    headers = {"Webhook-Id": "evt_1", "webhook-timestamp": str(now)}
    signed = headers | {"webhook-signature": signature([new, old], "evt_1", now, body)}
    for secret in (old, new):
        assert place["receive"](body, signed, secret)["type"] == "order.opened"
    stale = signature([new], "evt_1", now - 301, body)
    bad = [
        (body + b" ", signed, new),
        (body, signed, new_secret()),
        (body, signed | {"Webhook-Id": "evt_2"}, new),
        (body, headers | {"webhook-timestamp": str(now - 301), "webhook-signature": stale}, new),
    ]
    for claimed, given, secret in bad:
        with pytest.raises(Exception, match=r".+"):
            place["receive"](claimed, given, secret)


def test_the_documentation_names_every_event_type_and_retry_delay() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    named = set()
    for row in rows:
        kind = ""
        for name in re.findall(r"`([a-z_.]+)`", row):
            kind = name.partition(".")[0] or kind
            named.add(f"{kind}.{name.partition('.')[2]}")
    assert named == set(EVENT_TYPES)
    hours = [f"{wait.total_seconds() / 3600:g} h" for wait in RETRY_DELAYS[3:]]
    events = PAGE.partition("## Retries")[2]
    assert [hour for hour in hours if hour not in events and hour.removesuffix(" h") not in events] == []
