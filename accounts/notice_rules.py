"""Stages of notices, their placeholders and categories, formatting in a person's language, and quiet hours. Pure."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime
from babel.numbers import format_currency

from kernel.money import EXPONENTS, Money

#: Text messages and demands are sent within these local hours only.
WAKE_HOUR, REST_HOUR = 8, 22
#: How far a person may shorten these hours.
WAKE_HOUR_MAX, REST_HOUR_MIN = 12, 18
HOURS = (WAKE_HOUR, REST_HOUR)
#: How often a person may be contacted about overdue debts in a day, over all their orders.
DEMANDS_PER_DAY = 3
OVERDUE_PREFIX = "overdue_"
VALUE_LENGTH_MAX, SUBJECT_MAX, BODY_MAX = 80, 100, 500

#: About help requests.
HELP_STAGES = ("help_received", "help_answered", "help_decided", "plan_granted")
#: About returns that the merchant did not confirm.
RETURN_STAGES = ("return_refused", "return_denied", "return_ended", "return_over", "return_borne")
#: About security of the account, so that its owner notices what a stranger does.
ACCOUNT_STAGES = ("signed_in", "phone_changed", "mail_changed", "second_factor", "copy_asked", "erasure_asked")
#: About changes of the credit limit.
LIMIT_STAGES = ("limit_changed",)
#: Notices that no later fact makes untrue.
FINAL_STAGES = (
    "debit_succeeded",
    "debit_returned",
    "refund_succeeded",
    "refund_failed",
    *RETURN_STAGES,
    *HELP_STAGES,
    *ACCOUNT_STAGES,
    *LIMIT_STAGES,
)
#: Notices that a person may silence outside the inbox. All others are mandatory: by the rules for automatic deductions
#: or collection, because the person asked for them, or for the security of the account.
OPTIONAL_STAGES = ("due_in_3_days", "debit_succeeded", "refund_succeeded", "help_answered", "signed_in")
_COMMON_PLACEHOLDERS = frozenset({"merchant", "what", "amount", "when", "link"})
_OVERDUE_STAGES = {f"{OVERDUE_PREFIX}{day}": _COMMON_PLACEHOLDERS for day in (1, 3, 7, 15, 30)}
#: The placeholders that the text of each stage may use.
PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "debit_planned": _COMMON_PLACEHOLDERS | {"instrument", "plan"},
    "due_in_3_days": _COMMON_PLACEHOLDERS,
    "due_in_1_day": _COMMON_PLACEHOLDERS,
    "debit_succeeded": _COMMON_PLACEHOLDERS | {"instrument"},
    "debit_failed": _COMMON_PLACEHOLDERS | {"instrument", "reason", "next"},
    "debit_returned": _COMMON_PLACEHOLDERS | {"reason"},
    "refund_succeeded": _COMMON_PLACEHOLDERS | {"how"},
    "refund_failed": _COMMON_PLACEHOLDERS | {"how"},
    **_OVERDUE_STAGES,
    **{stage: _COMMON_PLACEHOLDERS | {"reason"} for stage in (*HELP_STAGES, *RETURN_STAGES)},
    **{stage: frozenset({"what", "when", "link"}) for stage in ACCOUNT_STAGES},
    **{stage: frozenset({"amount", "before", "when", "link"}) for stage in LIMIT_STAGES},
}
#: The categories of the inbox.
MONEY, ORDERS, SECURITY = "money", "orders", "security"
_MONEY_PREFIXES = ("debit_", "due_", "refund_", "limit_", OVERDUE_PREFIX)
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_TIME_FORMATS = {"zh-hans": "M月d日 HH:mm", "en": "d MMM, HH:mm"}
_LOCALES = {"zh-hans": Locale("zh", script="Hans"), "en": Locale("en")}
#: The sender's signature and the link in a text message; pages leave both out.
_SIGNATURE = re.compile(r"^【[^】]*】\s*")
_LINK = re.compile(r"https?://[^\s/]+/(?:orders/(?:ord_[0-9a-f]{32})?|help/con_[0-9a-f]{32}|settings/|credit/)")
_JOINER = "\N{ZERO WIDTH JOINER}"  # it holds an emoji family together; every other invisible character goes


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text in each language, with its own placeholder values."""

    texts: Mapping[str, str]
    values: Mapping[str, "Value"] = field(default_factory=dict)


Value = str | Money | datetime | Phrase


def fill_placeholders(text: str, values: Mapping[str, Value], *, language: str, zone: str) -> str:
    """Fill in the placeholders of a text. Values that look like placeholders are not filled again."""
    return _PLACEHOLDER.sub(lambda slot: _format_value(values.get(slot[1], ""), language, zone), text)


def unknown_placeholders(key: str, text: str) -> list[str]:
    """Placeholders that this stage does not have, and unmatched braces."""
    unknown = [f"{{{name}}}" for name in _PLACEHOLDER.findall(text) if name not in PLACEHOLDERS[key]]
    return unknown + re.findall(r"[{}]", _PLACEHOLDER.sub("", text))


def category_of(stage: str) -> str:
    """The inbox category of a stage."""
    return SECURITY if stage in ACCOUNT_STAGES else MONEY if stage.startswith(_MONEY_PREFIXES) else ORDERS


def stages_in(category: str) -> list[str]:
    return [stage for stage in PLACEHOLDERS if category_of(stage) == category]


def linked_path(body: str) -> str:
    """The path of the page that the text links to; empty if it has no link."""
    links = _LINK.findall(body)
    return re.sub(r"^https?://[^/]+", "", links[-1]) if links else ""


def split_at_link(body: str) -> tuple[str, str]:
    """The text without its signature, split into what comes before and after its link."""
    parts = _LINK.split(_SIGNATURE.sub("", body), maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def _visible_char(c: str) -> str:
    if c == _JOINER or not unicodedata.category(c).startswith("C"):
        return c
    return " " if c.isspace() else ""


def to_visible_line(text: str) -> str:
    """One line of visible text: without control and bidirectional characters, cut to VALUE_LENGTH_MAX."""
    seen = text if text.isprintable() else "".join(map(_visible_char, text))
    line = " ".join(seen.split())
    return line if len(line) <= VALUE_LENGTH_MAX else line[: VALUE_LENGTH_MAX - 1] + "…"


def respects_quiet_hours(stage: str, channel: str) -> bool:
    """Whether this copy waits for the end of quiet hours: demands, and text messages except about account security."""
    return stage.startswith(OVERDUE_PREFIX) or (channel == "sms" and stage not in ACCOUNT_STAGES)


def is_silenced(stage: str, channel: str, silenced: Collection[str]) -> bool:
    """Whether this copy is not sent: the person silenced it, or it would be a text about a sign-in by text message."""
    return (stage in OPTIONAL_STAGES and f"{stage}:{channel}" in silenced) or (stage, channel) == ("signed_in", "sms")


def next_allowed_time(at: datetime, zone: str, hours: tuple[int, int] = HOURS) -> datetime:
    """The moment itself, or the next one outside quiet hours."""
    (wake, rest), local = hours, at.astimezone(ZoneInfo(zone))
    if wake <= local.hour < rest:
        return at
    return _morning(local, 0 if local.hour < wake else 1, wake).astimezone(at.tzinfo)


def next_morning(at: datetime, zone: str) -> datetime:
    """The start of permitted hours on the person's next day."""
    return _morning(at.astimezone(ZoneInfo(zone)), 1).astimezone(at.tzinfo)


def _morning(local: datetime, days: int, hour: int = WAKE_HOUR) -> datetime:
    return datetime.combine(local.date() + timedelta(days=days), time(hour), local.tzinfo)


def _format_value(value: Value, language: str, zone: str) -> str:
    if isinstance(value, Phrase):
        return fill_placeholders(value.texts[language], value.values, language=language, zone=zone)
    if isinstance(value, Money):
        return _format_amount(value, language)
    if isinstance(value, datetime):
        return _format_time(value.astimezone(ZoneInfo(zone)).replace(tzinfo=None), language)
    return to_visible_line(value)


#: A batch of notices repeats amounts and times, and formatting one takes as long as a database query.
@lru_cache(maxsize=5000)
def _format_amount(value: Money, language: str) -> str:
    major = Decimal(value.minor).scaleb(-EXPONENTS.get(value.currency, 2))
    return str(format_currency(major, value.currency, locale=_LOCALES[language]))


@lru_cache(maxsize=5000)
def _format_time(local: datetime, language: str) -> str:
    return str(format_datetime(local, _TIME_FORMATS[language], locale=_LOCALES[language]))
