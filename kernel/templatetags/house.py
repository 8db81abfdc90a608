"""Money, times and shares as people read them: in the page's language, and in the time zone that is switched on."""

import math
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, format_timedelta
from babel.numbers import format_currency, format_percent, get_currency_name
from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape, format_html, urlize
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, to_locale

from kernel.money import BPS, EXPONENTS, Money

register = template.Library()
#: A telephone number in a sentence, and a number of ours.
_PHONE = re.compile(r"(?<![\w@./-])\+?\d[\d -]{5,17}\d(?![\w@./-])", re.ASCII)
_NUMBER = re.compile(r"\b[a-z]{3}_[0-9a-f]{32}\b")
_UNITS: tuple[tuple[Literal["day", "hour", "minute", "second"], int], ...] = (
    ("day", 86_400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)


def _locale() -> Locale:
    return _locale_of(get_language() or "en")


@lru_cache(maxsize=20)
def _locale_of(language: str) -> Locale:
    """Parsed once: that takes as long as writing an amount."""
    return Locale.parse(to_locale(language))


@register.simple_tag
def asset(path: str) -> str:
    """The address of a static file. Unlike `static` it has one even where none were collected.

    A page that reports a fault must not add one.
    """
    try:
        return static(path)
    except ValueError:
        return f"{settings.STATIC_URL}{path}"


@register.filter
def money(amount: Money) -> str:
    """`Money(1234, "CNY")` → ¥12.34; what is below zero has the sign of a minus, not a hyphen."""
    return _amount(amount, get_language() or "en")


@lru_cache(maxsize=5000)
def _amount(amount: Money, language: str) -> str:
    """Pages say the same amounts again and again, and writing one takes as long as a question."""
    major = Decimal(amount.minor).scaleb(-EXPONENTS.get(amount.currency, 2))
    return str(format_currency(major, amount.currency, locale=_locale_of(language))).replace("-", "−")


@register.filter
def minor(amount: int | None, currency: str) -> str:
    """The same for a column of minor units; nothing for one that is empty."""
    return "" if amount is None else money(Money(amount, currency))


@register.filter
def currency(code: str) -> str:
    """CNY → 人民币, as people call it."""
    return str(get_currency_name(code, locale=_locale()))


@register.filter
def moment(value: datetime | str | None) -> SafeString | str:
    """2026年11月20日 12:00, with the exact time for machines. Plans keep their times as ISO text."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), written(at))


@register.filter
def written(value: datetime | None) -> str:
    """The same in plain text, for a paper or a page's title; nothing for what never was."""
    if value is None:
        return ""
    return _written(timezone.localtime(value).replace(second=0, microsecond=0, tzinfo=None), get_language() or "en")


@lru_cache(maxsize=5000)
def _written(local: datetime, language: str) -> str:
    locale = _locale_of(language)
    return f"{format_date(local, 'medium', locale=locale)} {format_time(local, 'short', locale=locale)}"


@register.filter
def month(value: datetime) -> str:
    """2026年11月, in plain text."""
    local = timezone.localtime(value)
    return _month(local.year, local.month, _locale())


@lru_cache(maxsize=1000)
def _month(year: int, number: int, locale: Locale) -> str:
    return str(format_skeleton("yMMMM", date(year, number, 1), locale=locale))


@register.filter
def contact(text: str) -> SafeString:
    """What a merchant says it is reached by: addresses and telephone numbers in it can be followed."""
    return _marked(_PHONE, text, _called, rest=_linked)


@register.filter
def numbered(text: str) -> SafeString:
    """A text in which our own numbers (`ord_…`) stand small, each on one line."""
    return _marked(_NUMBER, text, lambda found: format_html('<code class="number">{}</code>', found), rest=escape)


def _marked(
    what: re.Pattern[str], text: object, mark: Callable[[str], str], *, rest: Callable[[str], str]
) -> SafeString:
    """The text with each find marked so, and what lies between shown by `rest`, which escapes it."""
    whole, parts, end = str(text), [], 0
    for found in what.finditer(whole):
        parts += [rest(whole[end : found.start()]), mark(found[0])]
        end = found.end()
    return mark_safe("".join([*parts, rest(whole[end:])]))  # noqa: S308  each part was escaped


def _called(number: str) -> str:
    return format_html('<a href="tel:{}">{}</a>', re.sub(r"[^+0-9]", "", number), number)


def _linked(text: str) -> str:
    return str(urlize(text, nofollow=True, autoescape=True))


@register.filter
def day(value: datetime) -> SafeString:
    """2026年11月20日, where the hour does not matter."""
    local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}">{}</time>', value.isoformat(), format_date(local, "medium", locale=_locale())
    )


def dated(iso: str) -> str:
    """2026-11 → 2026年11月, 2026-11-20 → 2026年11月20日: a month or a day as a statement has it."""
    year, number, *rest = (int(part) for part in iso.split("-"))
    return (
        str(format_date(date(year, number, *rest), "medium", locale=_locale()))
        if rest
        else _month(year, number, _locale())
    )


@register.filter
def appointment(value: datetime) -> str:
    """11月21日周六 10:00: a moment that somebody chooses or has chosen, in plain text."""
    local, locale = timezone.localtime(value), _locale()
    return f"{format_skeleton('MMMEd', local, locale=locale)} {format_time(local, 'short', locale=locale)}"


@register.filter
def span(value: timedelta) -> str:
    """3 天, 30 小时: whole days or hours where it is so many, else smaller ones; never rounded to a larger unit."""
    unit = next(unit for unit, seconds in _UNITS if value.total_seconds() % seconds == 0)
    said = format_timedelta(value, granularity=unit, threshold=math.inf, locale=_locale())
    return re.sub(r"(\d)(?=[\u4e00-\u9fff])", r"\1 ", said)


@register.filter
def share(bps: int) -> str:
    """Hundredths of a percent: 5 → 0.05%"""
    return str(format_percent(Decimal(bps) / BPS, format="#,##0.##%", locale=_locale()))
