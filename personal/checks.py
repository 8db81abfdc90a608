"""What `manage.py check --deploy` says of the keys that sign proofs."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Advice

#: More keys than this are published for nothing: no proof is good for longer than 90 days.
KEYS_MAX = 4


@register(Tags.security, deploy=True)
def proof_keys(**_about: Any) -> list[CheckMessage]:
    """A key does one thing; and those that signed nothing that still counts are thrown away."""
    keys = set(settings.PROOF_KEYS.values())
    found: list[CheckMessage] = []
    if keys & {*settings.PII_KEYS.values(), settings.BLIND_INDEX_KEY}:
        found.append(
            Error(
                "PROOF_KEYS holds a key that also seals or finds personal data.",
                hint="Draw one of its own.",
                id="personal.E001",
            )
        )
    if len(keys) < len(settings.PROOF_KEYS):
        found.append(Error("PROOF_KEYS holds the same key under two names.", id="personal.E002"))
    if len(keys) > KEYS_MAX:
        found.append(
            Advice(
                "PROOF_KEYS holds many keys.", hint="Drop those that signed nothing for 90 days.", id="personal.W001"
            )
        )
    return found
