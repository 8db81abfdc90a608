"""Parsing, masking and generating phone numbers, resident ID numbers and names. Pure."""

import hashlib
import re
from dataclasses import dataclass
from datetime import date, timedelta

import phonenumbers

HOME_REGION = "CN"
#: The maximum length of a password, for choosing it and for signing in.
PASSWORD_LENGTH_MAX = 200
AGE_MIN = 18
PHONE_LENGTH_MAX = 32
#: Phones of sandbox people are +86 154 xxxx xxxx: shaped like mobile numbers, in a block that was never assigned.
FICTIONAL_PHONE = "+86154"
_FICTIONAL_DIGITS = 8
_FICTIONAL_PHONES = re.compile(rf"{re.escape(FICTIONAL_PHONE)}[0-9]{{{_FICTIONAL_DIGITS}}}")
#: Usernames of colleagues: lowercase only, and never an email address, unlike usernames of merchants' staff.
_USERNAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")
_PHONE_INPUT = re.compile(r"\+?[0-9][0-9 ()\-]*")
_TEXTABLE = {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}

#: GB 11643-1999: 6 digits of region, 8 of birth, 3 of sequence, one check character.
_ID_NUMBER = re.compile(r"[0-9]{17}[0-9X]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
#: The first two digits: GB/T 2260 provinces, and 81 to 83 of the residence permits.
_PROVINCES = (
    *("11", "12", "13", "14", "15"),
    *("21", "22", "23"),
    *("31", "32", "33", "34", "35", "36", "37"),
    *("41", "42", "43", "44", "45", "46"),
    *("50", "51", "52", "53", "54"),
    *("61", "62", "63", "64", "65"),
    *("71", "81", "82", "83"),
)
_MAINLAND = _PROVINCES[:31]
_OLDEST_BIRTH = date(1900, 1, 1)
_FICTIONAL_BIRTH, _FICTIONAL_BIRTH_DAYS = date(1960, 1, 1), 14_000

#: Family names of two characters: both are shown, so that 欧阳修 is masked as 欧阳*.
_COMPOUND_SURNAMES = (
    *("欧阳", "太史", "端木", "上官", "司马", "东方", "独孤", "南宫", "万俟", "闻人"),
    *("夏侯", "诸葛", "尉迟", "公羊", "赫连", "澹台", "皇甫", "宗政", "濮阳", "公冶"),
    *("太叔", "申屠", "公孙", "慕容", "仲孙", "钟离", "长孙", "宇文", "司徒", "鲜于"),
    *("司空", "闾丘", "亓官", "司寇", "令狐", "呼延", "轩辕", "拓跋", "百里", "东郭"),
    *("西门", "南门"),
)
_STARS_MAX = 3
#: Parts of user agents with the names to show; the more specific come first, as they also claim to be those below.
_BROWSERS = (
    *(("MicroMessenger", "微信"), ("AlipayClient", "支付宝"), ("Edg", "Edge"), ("HuaweiBrowser", "华为浏览器")),
    *(("MiuiBrowser", "小米浏览器"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome")),
    *(("Chrome", "Chrome"), ("Safari", "Safari")),
)
_SYSTEMS = (
    *(("HarmonyOS", "HarmonyOS"), ("OpenHarmony", "HarmonyOS"), ("Android", "Android"), ("iPhone", "iPhone")),
    *(("iPad", "iPad"), ("Windows", "Windows"), ("Macintosh", "Mac"), ("Linux", "Linux")),
)


@dataclass(frozen=True, slots=True)
class IdNumber:
    """A resident ID number with a valid form, date and check character; it need not exist."""

    text: str
    born_on: date


def parse_phone(text: str) -> str | None:
    """`138 0013 8000` → `+8613800138000`; None if it cannot receive text messages.

    Without a country code it is Chinese. Only ASCII digits are accepted.
    """
    if len(text) > PHONE_LENGTH_MAX or not _PHONE_INPUT.fullmatch(text.strip()):
        return None
    try:
        number = phonenumbers.parse(text.strip(), HOME_REGION)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    textable = phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in _TEXTABLE
    return e164 if textable or is_fictional(e164) else None


def is_username(text: str) -> bool:
    """Whether it is valid for a colleague: 2 to 32 lowercase letters, digits, `.`, `_`, `-`, starting with a letter."""
    return _USERNAME.fullmatch(text) is not None


def is_fictional(phone: str) -> bool:
    """Whether it is the number of a sandbox person, which does not exist."""
    return _FICTIONAL_PHONES.fullmatch(phone) is not None


def parse_id_number(text: str) -> IdNumber | None:
    """The number with its date of birth, or None if it is not a valid resident ID number. x is accepted for X."""
    number = text.strip().upper()
    if not text.isascii() or not _ID_NUMBER.fullmatch(number) or number[:2] not in _PROVINCES:
        return None
    try:
        born_on = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    if born_on < _OLDEST_BIRTH or id_check_character(number[:17]) != number[17]:
        return None
    return IdNumber(number, born_on)


def id_check_character(digits: str) -> str:
    """The check character (18th) for the first 17 digits: ISO 7064, MOD 11-2."""
    return _CHECKS[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=True)) % 11]


def age_on(born_on: date, day: date) -> int:
    """Age in full years; in common years, people born on 29 February turn a year older on 1 March."""
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))


def fictional_phone(seed: bytes, attempt: int) -> str:
    """A phone number for a sandbox person; each attempt gives another number."""
    return f"{FICTIONAL_PHONE}{_seeded_number(b'phone', seed, attempt) % 10**_FICTIONAL_DIGITS:0{_FICTIONAL_DIGITS}}"


def fictional_id_number(seed: bytes, attempt: int) -> str:
    """A valid ID number of an adult that does not exist: no county has a code that ends in 0000."""
    number, province = divmod(_seeded_number(b"id", seed, attempt), len(_MAINLAND))
    number, day = divmod(number, _FICTIONAL_BIRTH_DAYS)
    born_on = _FICTIONAL_BIRTH + timedelta(days=day)
    digits = f"{_MAINLAND[province]}0000{born_on:%Y%m%d}{number % 1000:03}"
    return digits + id_check_character(digits)


def _seeded_number(kind: bytes, seed: bytes, attempt: int) -> int:
    return int.from_bytes(hashlib.sha256(kind + bytes([attempt]) + seed).digest(), "big")


def mask_name(name: str) -> str:
    """张三 → 张*, 欧阳修 → 欧阳*; at most three stars, so that the length of long names is not revealed."""
    visible = 2 if name[:2] in _COMPOUND_SURNAMES and len(name) > len("欧阳") else 1
    return name[:visible] + "*" * min(len(name) - visible, _STARS_MAX)


def mask_phone(phone: str) -> str:
    """+8613812341234 → 138****1234; for foreign numbers the country code and the last four digits."""
    number = phonenumbers.parse(phone)
    national = phonenumbers.national_significant_number(number)
    head = national[:3] if phone.startswith("+86") else f"+{number.country_code} "
    return f"{head}****{national[-4:]}"


def mask_mail(address: str) -> str:
    """ada@example.com → a***@example.com"""
    name, at, host = address.partition("@")
    return f"{name[:1]}***{at}{host}" if address else ""


def mask_id_number(number: str) -> str:
    """The first three and the last two characters."""
    return f"{number[:3]}{'*' * (len(number) - 5)}{number[-2:]}"


def parse_user_agent(user_agent: str) -> tuple[str, str]:
    """The names of browser and system; empty if unknown. User agents can lie: use them only to tell devices apart."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    return browser, next((name for mark, name in _SYSTEMS if mark in user_agent), "")
