"""System checks (`manage.py check --deploy`) of the keys that sign proofs."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Advice

#: No proof is valid for longer than 90 days, so older keys need not be published.
KEYS_MAX = 4


@register(Tags.security, deploy=True)
def proof_keys(**_about: Any) -> list[CheckMessage]:
    """Check that keys are used for one purpose only, and that old keys are removed."""
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
