"""Money, times and shares as people read them: in the page's language, and in the time zone that is switched on."""

from datetime import datetime, timedelta
from decimal import Decimal

from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_percent
from babel.units import format_unit
from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, to_locale

from kernel.money import BPS, EXPONENTS, Money

register = template.Library()
_HOUR, _DAY = 3600, 86_400


def _locale() -> str:
    return to_locale(get_language() or "en")


@register.filter
def money(amount: Money) -> str:
    """`Money(1234, "CNY")` → ¥12.34"""
    major = Decimal(amount.minor).scaleb(-EXPONENTS.get(amount.currency, 2))
    return str(format_currency(major, amount.currency, locale=_locale()))


@register.filter
def minor(amount: int | None, currency: str) -> str:
    """The same for a column of minor units; nothing for one that is empty."""
    return "" if amount is None else money(Money(amount, currency))


@register.filter
def moment(value: datetime | str | None) -> SafeString | str:
    """2026年11月20日 12:00, with the exact time for machines. Plans keep their times as ISO text."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = timezone.localtime(at)
    shown = f"{format_date(local, 'medium', locale=_locale())} {format_time(local, 'short', locale=_locale())}"
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), shown)


@register.filter
def span(value: timedelta) -> str:
    """3天, 30小时: whole days or whole hours, never rounded to something longer."""
    seconds = int(value.total_seconds())
    if seconds and seconds % _DAY == 0:
        return str(format_unit(seconds // _DAY, "day", locale=_locale()))
    if seconds % _HOUR == 0:
        return str(format_unit(seconds // _HOUR, "hour", locale=_locale()))
    return str(format_unit(seconds // 60, "minute", locale=_locale()))


@register.filter
def share(bps: int) -> str:
    """Hundredths of a percent: 5 → 0.05%"""
    return str(format_percent(Decimal(bps) / BPS, format="#,##0.##%", locale=_locale()))
