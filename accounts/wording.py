"""How a notice reads and when it may ring: placeholders, money and times in a person's language and zone. Pure."""

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

#: Nobody's phone rings for us outside these local hours.
WAKE_HOUR, REST_HOUR = 8, 22
#: How much more of the day a person may keep for themselves.
WAKE_HOUR_MAX, REST_HOUR_MIN = 12, 18
HOURS = (WAKE_HOUR, REST_HOUR)
#: How often a day one person is asked for overdue debts, over all their orders.
COLLECTIONS_A_DAY = 3
COLLECTION = "overdue_"
VALUE_LENGTH_MAX, SUBJECT_MAX, BODY_MAX = 80, 100, 500

#: What is said to somebody who asked for help: it is said once, and stays true.
HELP = ("help_received", "help_answered", "help_decided", "plan_granted")
#: How a return goes that its merchant did not take.
RETURNS = ("return_refused", "return_denied", "return_ended", "return_over", "return_borne")
#: What was done to an account, so that a stranger's hand on it does not stay hidden.
ACCOUNT = ("signed_in", "phone_changed", "mail_changed", "second_factor", "copy_asked", "erasure_asked")
#: What colleagues changed of what a person may owe.
STANDING = ("limit_changed",)
#: What is true for ever once it is told: no later fact makes it pointless.
FACTS = ("debit_succeeded", "debit_returned", "refund_succeeded", "refund_failed", *RETURNS, *HELP, *ACCOUNT, *STANDING)
#: What a person may do without outside the inbox. Everything else is demanded: by the rules for automatic debits, by
#: those for demands, or because it is an answer they asked for or a stranger's hand on their account.
OPTIONAL = ("due_in_3_days", "debit_succeeded", "refund_succeeded", "help_answered", "signed_in")
_ALWAYS = frozenset({"merchant", "what", "amount", "when", "link"})
_OVERDUE = {f"{COLLECTION}{day}": _ALWAYS for day in (1, 3, 7, 15, 30)}
#: What the words of each stage may name.
PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "debit_planned": _ALWAYS | {"instrument"},
    "due_in_3_days": _ALWAYS,
    "due_in_1_day": _ALWAYS,
    "debit_succeeded": _ALWAYS | {"instrument"},
    "debit_failed": _ALWAYS | {"instrument", "reason", "next"},
    "debit_returned": _ALWAYS | {"reason"},
    "refund_succeeded": _ALWAYS | {"how"},
    "refund_failed": _ALWAYS | {"how"},
    **_OVERDUE,
    **{stage: _ALWAYS | {"reason"} for stage in (*HELP, *RETURNS)},
    **{stage: frozenset({"what", "when", "link"}) for stage in ACCOUNT},
    **{stage: frozenset({"amount", "before", "when", "link"}) for stage in STANDING},
}
#: What notices are about: the shelves of an inbox.
MONEY, ORDERS, SECURITY = "money", "orders", "security"
_OF_MONEY = ("debit_", "due_", "refund_", "limit_", COLLECTION)
_SLOT = re.compile(r"\{([a-z_]+)\}")
_TIMES = {"zh-hans": "M月d日 HH:mm", "en": "d MMM, HH:mm"}
_LOCALES = {"zh-hans": Locale("zh", script="Hans"), "en": Locale("en")}
#: How a text on a phone says who sends it, and where it leads; a page knows both.
_SIGNATURE = re.compile(r"^【[^】]*】\s*")
_LINK = re.compile(r"https?://[^\s/]+/(?:orders/(?:ord_[0-9a-f]{32})?|help/con_[0-9a-f]{32}|settings/|credit/)")
_JOINER = "\N{ZERO WIDTH JOINER}"  # it holds an emoji family together; every other invisible character goes


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that differ by language, with values of their own."""

    words: Mapping[str, str]
    values: Mapping[str, "Value"] = field(default_factory=dict)


Value = str | Money | datetime | Phrase


def fill(text: str, values: Mapping[str, Value], *, language: str, zone: str) -> str:
    """The text with its placeholders filled in. A value that looks like a placeholder stays what it is."""
    return _SLOT.sub(lambda slot: _shown(values.get(slot[1], ""), language, zone), text)


def misplaced(key: str, text: str) -> list[str]:
    """Placeholders that this stage does not fill, and braces that belong to none."""
    unknown = [f"{{{name}}}" for name in _SLOT.findall(text) if name not in PLACEHOLDERS[key]]
    return unknown + re.findall(r"[{}]", _SLOT.sub("", text))


def shelf_of(stage: str) -> str:
    """Where somebody looks for it."""
    return SECURITY if stage in ACCOUNT else MONEY if stage.startswith(_OF_MONEY) else ORDERS


def stages_of(shelf: str) -> list[str]:
    return [stage for stage in PLACEHOLDERS if shelf_of(stage) == shelf]


def page_in(body: str) -> str:
    """The page of ours that a text leads to, without its host; empty when it names none."""
    found = _LINK.findall(body)
    return re.sub(r"^https?://[^/]+", "", found[-1]) if found else ""


def around_link(body: str) -> tuple[str, str]:
    """A text as it reads on a page of ours, unsigned: what stands before the address in it, and what after it."""
    parts = _LINK.split(_SIGNATURE.sub("", body), maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def _visible(c: str) -> str:
    if c == _JOINER or not unicodedata.category(c).startswith("C"):
        return c
    return " " if c.isspace() else ""


def plain(text: str) -> str:
    """One line of visible text: no control characters, nothing that turns the direction of what follows, no end."""
    seen = text if text.isprintable() else "".join(map(_visible, text))
    line = " ".join(seen.split())
    return line if len(line) <= VALUE_LENGTH_MAX else line[: VALUE_LENGTH_MAX - 1] + "…"


def rings(stage: str, channel: str) -> bool:
    """Whether this copy must let people sleep. What was done to an account is told at any hour."""
    return stage.startswith(COLLECTION) or (channel == "sms" and stage not in ACCOUNT)


def unwanted(stage: str, channel: str, silenced: Collection[str]) -> bool:
    """Whether this copy stays away: the person does without it, or the code they signed in by was a text already."""
    return (stage in OPTIONAL and f"{stage}:{channel}" in silenced) or (stage, channel) == ("signed_in", "sms")


def awake(at: datetime, zone: str, hours: tuple[int, int] = HOURS) -> datetime:
    """The moment itself, or the first one after it at which a person may be disturbed."""
    (wake, rest), local = hours, at.astimezone(ZoneInfo(zone))
    if wake <= local.hour < rest:
        return at
    return _morning(local, 0 if local.hour < wake else 1, wake).astimezone(at.tzinfo)


def next_morning(at: datetime, zone: str) -> datetime:
    """When the person's next day begins for us."""
    return _morning(at.astimezone(ZoneInfo(zone)), 1).astimezone(at.tzinfo)


def _morning(local: datetime, days: int, hour: int = WAKE_HOUR) -> datetime:
    return datetime.combine(local.date() + timedelta(days=days), time(hour), local.tzinfo)


def _shown(value: Value, language: str, zone: str) -> str:
    if isinstance(value, Phrase):
        return fill(value.words[language], value.values, language=language, zone=zone)
    if isinstance(value, Money):
        return _amount(value, language)
    if isinstance(value, datetime):
        return _time(value.astimezone(ZoneInfo(zone)).replace(tzinfo=None), language)
    return plain(value)


#: A batch of notices says the same amounts and times again and again, and writing one takes as long as a question.
@lru_cache(maxsize=5000)
def _amount(value: Money, language: str) -> str:
    major = Decimal(value.minor).scaleb(-EXPONENTS.get(value.currency, 2))
    return str(format_currency(major, value.currency, locale=_LOCALES[language]))


@lru_cache(maxsize=5000)
def _time(local: datetime, language: str) -> str:
    return str(format_datetime(local, _TIMES[language], locale=_LOCALES[language]))
