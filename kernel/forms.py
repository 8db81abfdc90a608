"""What forms of any page share: an amount as people write it, and a form that counts once however often it is sent."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import OperationalError, connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.models import IdempotencyKey
from kernel.money import BPS, EXPONENTS, Money
from kernel.refusal import Invalid

#: What is said to whoever sends a form once more.
SENT_BEFORE = gettext_lazy("You have already submitted this. Here is the current status.")
_AMOUNT = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?")
_TOKEN = re.compile(r"[0-9a-f]{24}")


def minor_of(text: str, currency: str) -> int | None:
    """`12.5` → 1250 for a currency of two places; None for whatever is not plainly an amount of it."""
    places = EXPONENTS.get(currency, 2)
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or len(found[2] or "") > places:
        return None
    return int(found[1] + (found[2] or "").ljust(places, "0"))


def plain(amount: Money) -> str:
    """The other way round: what a form's field is filled with."""
    return str(amount).removesuffix(f" {amount.currency}")


class YuanField(forms.Field):
    """An amount as people write it, `500` or `12.34`, in yuan; what comes of it are minor units."""

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        minor = minor_of(text, "CNY")
        if text and minor is None:
            raise forms.ValidationError(_("Enter an amount in yuan, such as 500 or 12.34."))
        return minor


class SinceField(forms.DateTimeField):
    """From when on something counts, by the console's time; at once if nothing is said."""

    def __init__(self, **said: Any) -> None:
        words = format_lazy(gettext_lazy("{zone} time; immediately if empty."), zone=settings.CONSOLE_ZONE)
        given = {"label": gettext_lazy("Effective from"), "help_text": words, "required": False, **said}
        super().__init__(widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"), **given)


class PercentField(forms.Field):
    """A share of the whole as people write it, `10` or `0.05`, in percent; what comes of it are hundredths of one."""

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        bps = minor_of(text, "CNY")  # two places, as a share has
        if text and (bps is None or bps > BPS):
            raise forms.ValidationError(_("Enter a percentage, such as 10 or 0.05."))
        return bps


def percent(bps: int) -> str:
    """The other way round: 5 → 0.05, 1000 → 10"""
    return plain(Money(bps)).rstrip("0").removesuffix(".")


def new_token() -> str:
    """What names one rendering of a form."""
    return secrets.token_hex(12)


def known_token(text: str) -> str:
    """The token a form came back with.

    Raises:
        Invalid: no form of ours sent this.
    """
    if not _TOKEN.fullmatch(text):
        raise Invalid
    return text


def keep_outcome(scope: UUID, token: str, outcome: str) -> None:
    """Remember what a form came to, for whoever sends it once more."""
    _kept(scope, token).update(body=outcome.encode())


def outcome_of(scope: UUID, token: str) -> str:
    """What a form that was sent before came to; empty while that is not known, or when it came to nothing."""
    kept = _kept(scope, token).first()
    return bytes(kept.body).decode() if kept else ""


def _kept(scope: UUID, token: str) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(scope=scope, key=f"form {known_token(token)}")


def was_sent(scope: UUID, token: str) -> bool:
    """Whether it was sent before; asking is not sending."""
    return _kept(scope, token).exists()


def first_time(scope: UUID, token: str, route: str) -> bool:
    """Whether this form is sent for the first time; the second click of two meets the first one's mark.

    The mark is set before anything is done, so a crash in between costs a look at the page, never a second effect.

    Raises:
        Invalid: no form of ours sent this.
    """
    mark = {"route": route, "request_hash": b"", "status": 0, "content_type": "", "body": b""}
    _kept, made = IdempotencyKey.objects.get_or_create(scope=scope, key=f"form {known_token(token)}", defaults=mark)
    return made


def sent_first(request: HttpRequest, scope: UUID, token: str, route: str) -> bool:
    """Whether this form is sent for the first time; where it was sent before, the next page says so.

    Raises:
        Invalid: no form of ours sent this.
    """
    first = first_time(scope, token, route)
    if not first:
        messages.info(request, SENT_BEFORE)
    return first


@contextmanager
def free_if_broken_off(scope: UUID, token: str) -> Iterator[None]:
    """Around what a form does in one transaction, the world outside not asked: where the database broke that off, as
    when it waited too long for a lock, nothing was done, and the form may be sent once more.

    Where the connection is gone nobody knows whether it was done, and the form stays marked as sent.
    """
    try:
        yield
    except OperationalError:
        if connection.connection is not None and not connection.connection.closed:
            _kept(scope, token).delete()
        raise
