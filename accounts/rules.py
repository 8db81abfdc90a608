"""What a phone number, a resident ID number and a name are. Plain values in and out, nothing looked up."""

import hashlib
import re
from dataclasses import dataclass
from datetime import date, timedelta

import phonenumbers

HOME_REGION = "CN"
#: Longer than anybody types; what signs in is as long as what is taken.
PASSWORD_LENGTH_MAX = 200
AGE_MIN = 18
PHONE_LENGTH_MAX = 32
#: Sandbox people's phones are +86 154 xxxx xxxx: shaped like a mobile number, in a block that was never given out.
FICTIONAL_PHONE = "+86154"
_FICTIONAL_DIGITS = 8
_FICTIONAL_PHONES = re.compile(rf"{re.escape(FICTIONAL_PHONE)}[0-9]{{{_FICTIONAL_DIGITS}}}")
#: What a colleague is called: no two read alike, and none is an address, as those of a merchant's staff are.
_USERNAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")
_DIALLED = re.compile(r"\+?[0-9][0-9 ()\-]*")
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

#: Family names of two characters: both of them are shown, so that 欧阳修 reads 欧阳*.
_COMPOUND_SURNAMES = (
    *("欧阳", "太史", "端木", "上官", "司马", "东方", "独孤", "南宫", "万俟", "闻人"),
    *("夏侯", "诸葛", "尉迟", "公羊", "赫连", "澹台", "皇甫", "宗政", "濮阳", "公冶"),
    *("太叔", "申屠", "公孙", "慕容", "仲孙", "钟离", "长孙", "宇文", "司徒", "鲜于"),
    *("司空", "闾丘", "亓官", "司寇", "令狐", "呼延", "轩辕", "拓跋", "百里", "东郭"),
    *("西门", "南门"),
)
_STARS_MAX = 3
#: What a browser says of itself, the narrower name first: each of them also claims to be those below it.
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
    """A resident ID number whose form, date and check character are right; whose it is, nobody here knows."""

    text: str
    born_on: date


def phone_in_e164(text: str) -> str | None:
    """`138 0013 8000` → `+8613800138000`; None for whatever cannot receive a text message.

    Without a country code it is Chinese. Only ASCII digits count: a full-width number is refused, not guessed at.
    """
    if len(text) > PHONE_LENGTH_MAX or not _DIALLED.fullmatch(text.strip()):
        return None
    try:
        number = phonenumbers.parse(text.strip(), HOME_REGION)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    textable = phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in _TEXTABLE
    return e164 if textable or is_fictional(e164) else None


def is_username(text: str) -> bool:
    """Whether a colleague may be called so: 2 to 32 small letters, digits, `.`, `_`, `-`, the first a letter."""
    return _USERNAME.fullmatch(text) is not None


def is_fictional(phone: str) -> bool:
    """Whether it is a sandbox person's number, which no operator will ever deliver to."""
    return _FICTIONAL_PHONES.fullmatch(phone) is not None


def id_number(text: str) -> IdNumber | None:
    """The number with its date of birth, or None if it cannot be a resident ID number. A small x is the same as X."""
    number = text.strip().upper()
    if not text.isascii() or not _ID_NUMBER.fullmatch(number) or number[:2] not in _PROVINCES:
        return None
    try:
        born_on = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    if born_on < _OLDEST_BIRTH or check_character(number[:17]) != number[17]:
        return None
    return IdNumber(number, born_on)


def check_character(digits: str) -> str:
    """The 18th character of the 17 before it: ISO 7064, MOD 11-2."""
    return _CHECKS[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=True)) % 11]


def age_on(born_on: date, day: date) -> int:
    """Full years lived; who was born on 29 February turns a year older on 1 March of a common year."""
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))


def fictional_phone(seed: bytes, attempt: int) -> str:
    """A number for a sandbox person; another attempt gives another number."""
    return f"{FICTIONAL_PHONE}{_draw(b'phone', seed, attempt) % 10**_FICTIONAL_DIGITS:0{_FICTIONAL_DIGITS}}"


def fictional_id_number(seed: bytes, attempt: int) -> str:
    """An adult's number that checks out and stands on no card: no county has a code that ends in 0000."""
    drawn, province = divmod(_draw(b"id", seed, attempt), len(_MAINLAND))
    drawn, day = divmod(drawn, _FICTIONAL_BIRTH_DAYS)
    born_on = _FICTIONAL_BIRTH + timedelta(days=day)
    digits = f"{_MAINLAND[province]}0000{born_on:%Y%m%d}{drawn % 1000:03}"
    return digits + check_character(digits)


def _draw(kind: bytes, seed: bytes, attempt: int) -> int:
    return int.from_bytes(hashlib.sha256(kind + bytes([attempt]) + seed).digest(), "big")


def masked_name(name: str) -> str:
    """张三 → 张*, 欧阳修 → 欧阳*; never more than three stars, so that a long name does not show its length."""
    shown = 2 if name[:2] in _COMPOUND_SURNAMES and len(name) > len("欧阳") else 1
    return name[:shown] + "*" * min(len(name) - shown, _STARS_MAX)


def masked_phone(phone: str) -> str:
    """+8613812341234 → 138****1234; abroad the country code and the last four."""
    number = phonenumbers.parse(phone)
    national = phonenumbers.national_significant_number(number)
    head = national[:3] if phone.startswith("+86") else f"+{number.country_code} "
    return f"{head}****{national[-4:]}"


def masked_mail(address: str) -> str:
    """ada@example.com → a***@example.com"""
    name, at, host = address.partition("@")
    return f"{name[:1]}***{at}{host}" if address else ""


def masked_id_number(number: str) -> str:
    """The first three and the last two characters."""
    return f"{number[:3]}{'*' * (len(number) - 5)}{number[-2:]}"


def browser_and_system(user_agent: str) -> tuple[str, str]:
    """By what people call them; empty where a browser does not say. It may lie: it tells devices apart, no more."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    return browser, next((name for mark, name in _SYSTEMS if mark in user_agent), "")
