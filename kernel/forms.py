"""Shared form helpers: amounts as people write them, and forms that take effect once even if submitted twice."""

import re
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import OperationalError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.database_errors import is_rolled_back
from kernel.models import IdempotencyKey
from kernel.money import BPS, EXPONENTS, Money
from kernel.refusal import Invalid

#: The message after a repeated submission.
ALREADY_SUBMITTED = gettext_lazy("You have already submitted this. Here is the current status.")
_NUMBER = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?")
#: What people write around an amount of a currency.
_SIGNS = {"CNY": re.compile(r"¥?(.*?)元?"), "JPY": re.compile(r"¥?(.*)")}
_TOKEN = re.compile(r"[0-9a-f]{24}")


def parse_minor(text: str, currency: str) -> int | None:
    """`12.5` → 1250 for a currency of two decimals; None if it is not a valid amount.

    `１２.５`, `¥12.5` and `12.5 元` are read as well.
    """
    typed = _to_half_width(text).strip()
    signs = _SIGNS.get(currency)
    amount = signs.fullmatch(typed) if signs else None
    return _parse_decimal(amount[1] if amount else typed, EXPONENTS.get(currency, 2))


def _to_half_width(text: str) -> str:
    """The text with ASCII characters for their full-width forms, which a Chinese keyboard types."""
    return "".join(unicodedata.normalize("NFKC", c) if unicodedata.east_asian_width(c) == "F" else c for c in text)


def _parse_decimal(text: str, places: int) -> int | None:
    """The number in its smallest unit; None if it is none, or has more decimals."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None or len(found[2] or "") > places:
        return None
    return int(found[1] + (found[2] or "").ljust(places, "0"))


def plain_amount(amount: Money) -> str:
    """The amount as a form field's initial value: `12.50`."""
    return str(amount).removesuffix(f" {amount.currency}")


class YuanField(forms.Field):
    """An amount in yuan as people write it, `500` or `12.34`; cleans to minor units."""

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        minor = parse_minor(text, "CNY")
        if text and minor is None:
            raise forms.ValidationError(_("Enter an amount in yuan, such as 500 or 12.34."))
        return minor


class EffectiveFromField(forms.DateTimeField):
    """The time from which something is effective, in the console's time zone; at once if empty."""

    def __init__(self, **options: Any) -> None:
        words = format_lazy(gettext_lazy("{zone} time; immediately if empty."), zone=settings.CONSOLE_ZONE)
        field_options = {"label": gettext_lazy("Effective from"), "help_text": words, "required": False, **options}
        super().__init__(
            widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"), **field_options
        )


class PercentField(forms.Field):
    """A percentage as people write it, `10` or `0.05`; cleans to basis points."""

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        bps = _parse_decimal(_to_half_width(text), 2)
        if text and (bps is None or bps > BPS):
            raise forms.ValidationError(_("Enter a percentage, such as 10 or 0.05."))
        return bps


def format_percent(bps: int) -> str:
    """Basis points as a percentage: 5 → 0.05, 1000 → 10"""
    return plain_amount(Money(bps)).rstrip("0").removesuffix(".")


def new_form_token() -> str:
    """A token that identifies one rendering of a form."""
    return secrets.token_hex(12)


def validate_token(text: str) -> str:
    """Check a submitted form's token and return it.

    Raises:
        Invalid: it is not one of our tokens.
    """
    if not _TOKEN.fullmatch(text):
        raise Invalid
    return text


def save_outcome(scope: UUID, token: str, outcome: str) -> None:
    """Store a form's outcome for repeated submissions."""
    _saved_rows(scope, token).update(body=outcome.encode())


def outcome_of(scope: UUID, token: str) -> str:
    """The outcome of an earlier submission; empty if there is none, or none yet."""
    row = _saved_rows(scope, token).first()
    return bytes(row.body).decode() if row else ""


def _saved_rows(scope: UUID, token: str) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(scope=scope, key=f"form {validate_token(token)}")


def was_submitted(scope: UUID, token: str) -> bool:
    """Whether the form was submitted before. Does not claim it."""
    return _saved_rows(scope, token).exists()


def claim_token(scope: UUID, token: str, route: str) -> bool:
    """Claim the form's token. Returns whether this is the first submission.

    The claim is stored before the effect, so a crash in between loses the effect but never causes a second one.

    Raises:
        Invalid: it is not one of our tokens.
    """
    mark = {"route": route, "request_hash": b"", "status": 0, "content_type": "", "body": b""}
    _row, created = IdempotencyKey.objects.get_or_create(
        scope=scope, key=f"form {validate_token(token)}", defaults=mark
    )
    return created


def claim_submission(request: HttpRequest, scope: UUID, token: str, route: str) -> bool:
    """Claim the form's token, and show a message on the next page if it was submitted before.

    Raises:
        Invalid: it is not one of our tokens.
    """
    first = claim_token(scope, token, route)
    if not first:
        messages.info(request, ALREADY_SUBMITTED)
    return first


@contextmanager
def release_on_database_error(scope: UUID, token: str) -> Iterator[None]:
    """Release the form's token if the database aborts this block, for example after a lock timeout.

    For effects in one transaction without external calls: nothing was done, so the form may be submitted again. If the
    connection is lost it is unknown whether the effect happened, and the token stays claimed: only the server's own
    word counts, since Django has reconnected by then.
    """
    try:
        yield
    except OperationalError as error:
        if is_rolled_back(error):
            _saved_rows(scope, token).delete()
        raise
