"""Retry policies: staff publish versions, each in force from its day on. A published version never changes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any

import holidays
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from msgspec import convert, json, to_builtins

from billing.models import RetryPolicy
from billing.planning import Policy
from billing.refusals import PolicyInvalid, PolicyMoved
from kernel.actor import Actor
from kernel.refusal import ApprovalRequired, FieldError, NotFound

NAME = re.compile(r"[a-z][a-z0-9_]{0,19}")
REASON_MAX = 200
#: Terms that are one integer: minimum and maximum.
INTEGER_TERMS = {
    "retry_hour": (0, 23),
    "quiet_from": (0, 23),
    "quiet_until": (0, 23),
    "instrument_a_day": (1, 1000),
    "instrument_in_30_days": (1, 1000),
    "person_a_day": (1, 1000),
    "payday_reach": (0, 30),
    "move_days_max": (0, 30),
}
#: Terms that are a strictly ascending list of integers: minimum, maximum, and the most items.
LIST_TERMS = {"retry_days": (1, 365, 30), "paydays": (1, 31, 31), "technical_minutes": (1, 1440, 10)}


def publish_policy(
    name: str,
    terms: Mapping[str, Any],
    effective_from: datetime,
    reason: str,
    *,
    after: int | None = None,
    by: Actor,
    at: datetime,
) -> RetryPolicy:
    """Publish a version: debts are collected by these terms from that day on; existing plans stay as they are.

    Terms that are not given have the defaults of `billing.planning.Policy`, and are stored with the others. `after` is
    the version that this one was edited from.

    Raises:
        ApprovalRequired: publishing needs dual approval.
        PolicyInvalid: a term is invalid, or the day is past.
        PolicyMoved: another version was published meanwhile.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    policy = validate_policy(name, terms, effective_from, reason, at=at)
    last = RetryPolicy.objects.filter(name=name).aggregate(last=Max("version"))["last"] or 0
    if after is not None and after != last:
        raise PolicyMoved
    try:
        with transaction.atomic():
            return RetryPolicy.objects.create(
                name=name,
                version=last + 1,
                effective_from=effective_from,
                terms=json.decode(json.encode(policy)),
                reason=reason.strip(),
                by=str(by),
                at=at,
            )
    except IntegrityError:
        raise PolicyMoved from None


def republish_policy(
    name: str, version: int, effective_from: datetime, reason: str, *, by: Actor, at: datetime
) -> RetryPolicy:
    """Publish the terms of an older version again, as a new version.

    Raises:
        NotFound: there is no such version.
        PolicyInvalid, PolicyMoved: as publish_policy says.
    """
    old = RetryPolicy.objects.filter(name=name, version=version).first()
    if old is None:
        raise NotFound
    return publish_policy(name, old.terms, effective_from, reason, by=by, at=at)


def validate_policy(
    name: str, terms: Mapping[str, Any], effective_from: datetime, reason: str, *, at: datetime
) -> Policy:
    """The policy with these terms.

    Raises:
        PolicyInvalid: with an error for each invalid field.
    """
    errors = [*_term_errors(terms)]
    if not NAME.fullmatch(name):
        errors.append(FieldError("/name", _("1 to 20 characters from a–z, 0–9 and _, starting with a letter.")))
    if effective_from < at:
        errors.append(FieldError("/effective_from", _("This time is in the past.")))
    if not (0 < len(reason.strip()) <= REASON_MAX and reason.replace("\n", "").replace("\r", "").isprintable()):
        errors.append(FieldError("/reason", format_lazy(_("1 to {most} characters."), most=REASON_MAX)))
    if errors:
        raise PolicyInvalid(errors=errors)
    return convert(dict(terms), Policy)


@cache
def calendar_countries() -> tuple[str, ...]:
    """Codes of the countries with a known holiday calendar."""
    return tuple(sorted(holidays.list_supported_countries(include_aliases=False)))


def _term_errors(given: Mapping[str, Any]) -> Iterator[FieldError]:
    terms = to_builtins(Policy()) | dict(given)
    for name in sorted(set(terms) - {field.name for field in fields(Policy)}):
        yield FieldError(f"/terms/{name}", format_lazy(_("No such term: “{name}”."), name=name))
    messages = {name: _integer_error(terms[name], *span) for name, span in INTEGER_TERMS.items()}
    messages |= {name: _list_error(terms[name], *span) for name, span in LIST_TERMS.items()}
    if type(terms["switch_on_soft"]) is not bool:
        messages["switch_on_soft"] = _("Yes or no.")
    if terms["business_days_of"] not in ("", *calendar_countries()):
        messages["business_days_of"] = _("A country or region with a known holiday calendar, such as CN, or empty.")
    if not (messages["quiet_from"] or messages["quiet_until"] or messages["retry_hour"]):
        messages |= _quiet_hours_errors(terms)
    yield from (FieldError(f"/terms/{name}", words) for name, words in messages.items() if words)


def _integer_error(value: object, low: int, high: int) -> Any:
    if type(value) is int and low <= value <= high:
        return None
    return format_lazy(_("A whole number from {low} to {high}."), low=low, high=high)


def _list_error(value: object, low: int, high: int, most: int) -> Any:
    words = _("Up to {most} whole numbers from {low} to {high}, in ascending order.")
    numbers = list(value) if isinstance(value, list | tuple) else None
    whole = numbers is not None and all(type(n) is int and low <= n <= high for n in numbers)
    if numbers is not None and whole and numbers == sorted(set(numbers)) and len(numbers) <= most:
        return None
    return format_lazy(words, low=low, high=high, most=most)


def _quiet_hours_errors(terms: Mapping[str, Any]) -> dict[str, Any]:
    """Some hours must not be quiet, or no attempt could ever be made; and the retry hour must be one of them."""
    if terms["quiet_until"] >= terms["quiet_from"]:
        return {
            "quiet_until": _(
                "Quiet hours must end in the morning and begin in the evening:"
                " the end hour must be smaller than the start hour."
            )
        }
    if not terms["quiet_until"] <= terms["retry_hour"] < terms["quiet_from"]:
        return {"retry_hour": _("This hour falls in the quiet hours.")}
    return {}
