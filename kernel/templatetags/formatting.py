"""Template filters that format money, times and percentages, in the current language and time zone."""

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
#: A phone number in a text, and one of our public ids.
_PHONE = re.compile(r"(?<![\w@./-])\+?\d[\d -]{5,17}\d(?![\w@./-])", re.ASCII)
_PUBLIC_ID = re.compile(r"\b[a-z]{3}_[0-9a-f]{32}\b")
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
    """Cached: parsing a locale takes as long as formatting an amount."""
    return Locale.parse(to_locale(language))


@register.simple_tag
def asset(path: str) -> str:
    """The URL of a static file, even if static files were not collected, where `static` raises.

    Error pages use it, and must not fail themselves.
    """
    try:
        return static(path)
    except ValueError:
        return f"{settings.STATIC_URL}{path}"


@register.filter
def money(amount: Money) -> str:
    """`Money(1234, "CNY")` → ¥12.34; negative amounts have a minus sign, not a hyphen."""
    return _format_amount(amount, get_language() or "en")


@lru_cache(maxsize=5000)
def _format_amount(amount: Money, language: str) -> str:
    """Cached: pages show the same amounts often, and formatting one takes as long as a query."""
    major = Decimal(amount.minor).scaleb(-EXPONENTS.get(amount.currency, 2))
    return str(format_currency(major, amount.currency, locale=_locale_of(language))).replace("-", "−")


@register.filter
def minor_amount(amount: int | None, currency: str) -> str:
    """Format minor units as an amount; empty for None."""
    return "" if amount is None else money(Money(amount, currency))


@register.filter
def currency_name(code: str) -> str:
    """CNY → 人民币, the currency's name."""
    return str(get_currency_name(code, locale=_locale()))


@register.filter
def moment(value: datetime | str | None) -> SafeString | str:
    """2026年11月20日 12:00 as a `time` element. Also accepts ISO text, in which plans store times."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), plain_datetime(at))


@register.filter
def plain_datetime(value: datetime | None) -> str:
    """The same as plain text, for documents and page titles; empty for None."""
    if value is None:
        return ""
    return _format_datetime(
        timezone.localtime(value).replace(second=0, microsecond=0, tzinfo=None), get_language() or "en"
    )


@lru_cache(maxsize=5000)
def _format_datetime(local: datetime, language: str) -> str:
    locale = _locale_of(language)
    return f"{format_date(local, 'medium', locale=locale)} {format_time(local, 'short', locale=locale)}"


@register.filter
def month(value: datetime) -> str:
    """2026年11月, in plain text."""
    local = timezone.localtime(value)
    return _format_month(local.year, local.month, _locale())


@lru_cache(maxsize=1000)
def _format_month(year: int, number: int, locale: Locale) -> str:
    return str(format_skeleton("yMMMM", date(year, number, 1), locale=locale))


@register.simple_tag
def support_contact() -> SafeString:
    """How customers reach the operator's support, with links; empty where SUPPORT_CONTACT is not set."""
    return linkify_contact(settings.SUPPORT_CONTACT)


@register.filter
def linkify_contact(text: str) -> SafeString:
    """A contact text with links for its URLs, email addresses and phone numbers."""
    return _markup_matches(_PHONE, text, _phone_link, rest=_linkify)


@register.filter
def format_ids(text: str) -> SafeString:
    """A text with our public ids (`ord_…`) in small type, each without line breaks."""
    return _markup_matches(
        _PUBLIC_ID, text, lambda found: format_html('<code class="number">{}</code>', found), rest=escape
    )


def _markup_matches(
    pattern: re.Pattern[str], text: object, mark: Callable[[str], str], *, rest: Callable[[str], str]
) -> SafeString:
    """The text with `mark` applied to each match and `rest`, which must escape, to the text between."""
    source, parts, end = str(text), [], 0
    for found in pattern.finditer(source):
        parts += [rest(source[end : found.start()]), mark(found[0])]
        end = found.end()
    return mark_safe("".join([*parts, rest(source[end:])]))  # noqa: S308  each part was escaped


def _phone_link(number: str) -> str:
    return format_html('<a href="tel:{}">{}</a>', re.sub(r"[^+0-9]", "", number), number)


def _linkify(text: str) -> str:
    return str(urlize(text, nofollow=True, autoescape=True))


@register.filter
def day(value: datetime) -> SafeString:
    """2026年11月20日, a date as a `time` element."""
    local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}">{}</time>', value.isoformat(), format_date(local, "medium", locale=_locale())
    )


def format_period(iso: str) -> str:
    """2026-11 → 2026年11月, 2026-11-20 → 2026年11月20日: a month or a day in ISO form."""
    year, number, *rest = (int(part) for part in iso.split("-"))
    return (
        str(format_date(date(year, number, *rest), "medium", locale=_locale()))
        if rest
        else _format_month(year, number, _locale())
    )


@register.filter
def appointment(value: datetime) -> str:
    """11月21日周六 10:00: a time that a person chooses or has chosen, in plain text."""
    local, locale = timezone.localtime(value), _locale()
    return f"{format_skeleton('MMMEd', local, locale=locale)} {format_time(local, 'short', locale=locale)}"


@register.filter
def duration(value: timedelta) -> str:
    """3 天, 30 小时: in the largest unit that divides it exactly; never rounded."""
    unit = next(unit for unit, seconds in _UNITS if value.total_seconds() % seconds == 0)
    text = format_timedelta(value, granularity=unit, threshold=math.inf, locale=_locale())
    return re.sub(r"(\d)(?=[\u4e00-\u9fff])", r"\1 ", text)


@register.filter
def percent(bps: int) -> str:
    """Basis points: 5 → 0.05%"""
    return str(format_percent(Decimal(bps) / BPS, format="#,##0.##%", locale=_locale()))
