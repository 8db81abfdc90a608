"""Retry policies are data: colleagues publish a version, and it counts from its day on. None is ever changed."""

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
from kernel.refusal import FieldError, NotFound, SecondNeeded

NAME = re.compile(r"[a-z][a-z0-9_]{0,19}")
REASON_MAX = 200
#: Terms that are one whole number: the lowest and the highest.
ONE = {
    "retry_hour": (0, 23),
    "quiet_from": (0, 23),
    "quiet_until": (0, 23),
    "instrument_a_day": (1, 1000),
    "instrument_in_30_days": (1, 1000),
    "person_a_day": (1, 1000),
    "payday_reach": (0, 30),
    "move_days_max": (0, 30),
}
#: Terms that are several, each larger than the one before: the lowest, the highest, and how many at most.
MANY = {"retry_days": (1, 365, 30), "paydays": (1, 31, 31), "technical_minutes": (1, 1440, 10)}


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
    """Debts are collected by these terms from that day on; plans already made stay as they are.

    Terms that are not given are as `billing.planning.Policy` has them, and are written down with the others. Whoever
    read version `after` before writing this one says so.

    Raises:
        SecondNeeded: no colleague publishes alone.
        PolicyInvalid: a field is not what a policy can say, or the day is past.
        PolicyMoved: another version was published meanwhile.
    """
    if by.alone:
        raise SecondNeeded
    judged = judge_policy(name, terms, effective_from, reason, at=at)
    last = RetryPolicy.objects.filter(name=name).aggregate(last=Max("version"))["last"] or 0
    if after is not None and after != last:
        raise PolicyMoved
    try:
        with transaction.atomic():
            return RetryPolicy.objects.create(
                name=name,
                version=last + 1,
                effective_from=effective_from,
                terms=json.decode(json.encode(judged)),
                reason=reason.strip(),
                by=str(by),
                at=at,
            )
    except IntegrityError:
        raise PolicyMoved from None


def republish_policy(
    name: str, version: int, effective_from: datetime, reason: str, *, by: Actor, at: datetime
) -> RetryPolicy:
    """Back to the terms of an older version: they become a new one.

    Raises:
        NotFound: there is no such version.
        PolicyInvalid, PolicyMoved: as publishing it says.
    """
    old = RetryPolicy.objects.filter(name=name, version=version).first()
    if old is None:
        raise NotFound
    return publish_policy(name, old.terms, effective_from, reason, by=by, at=at)


def judge_policy(name: str, terms: Mapping[str, Any], effective_from: datetime, reason: str, *, at: datetime) -> Policy:
    """The policy that these terms make.

    Raises:
        PolicyInvalid: with what is wrong, field by field.
    """
    errors = [*_wrong(terms)]
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
def countries() -> tuple[str, ...]:
    """Codes of the countries whose working days are known."""
    return tuple(sorted(holidays.list_supported_countries(include_aliases=False)))


def _wrong(given: Mapping[str, Any]) -> Iterator[FieldError]:
    terms = to_builtins(Policy()) | dict(given)
    for name in sorted(set(terms) - {field.name for field in fields(Policy)}):
        yield FieldError(f"/terms/{name}", format_lazy(_("No such term: “{name}”."), name=name))
    wrong = {name: _one(terms[name], *span) for name, span in ONE.items()}
    wrong |= {name: _many(terms[name], *span) for name, span in MANY.items()}
    if type(terms["switch_on_soft"]) is not bool:
        wrong["switch_on_soft"] = _("Yes or no.")
    if terms["business_days_of"] not in ("", *countries()):
        wrong["business_days_of"] = _("A country or region with a known holiday calendar, such as CN, or empty.")
    if not (wrong["quiet_from"] or wrong["quiet_until"] or wrong["retry_hour"]):
        wrong |= _hours(terms)
    yield from (FieldError(f"/terms/{name}", words) for name, words in wrong.items() if words)


def _one(value: object, low: int, high: int) -> Any:
    if type(value) is int and low <= value <= high:
        return None
    return format_lazy(_("A whole number from {low} to {high}."), low=low, high=high)


def _many(value: object, low: int, high: int, most: int) -> Any:
    words = _("Up to {most} whole numbers from {low} to {high}, in ascending order.")
    numbers = list(value) if isinstance(value, list | tuple) else None
    whole = numbers is not None and all(type(n) is int and low <= n <= high for n in numbers)
    if numbers is not None and whole and numbers == sorted(set(numbers)) and len(numbers) <= most:
        return None
    return format_lazy(words, low=low, high=high, most=most)


def _hours(terms: Mapping[str, Any]) -> dict[str, Any]:
    """A day has hours that are not quiet, or nothing could ever be tried; and the hour of retries is one of them."""
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
