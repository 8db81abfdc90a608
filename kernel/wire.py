"""JSON in and out: strict, bounded, and typed by msgspec. What is not in the contract is refused, not ignored."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, NoReturn, Self, cast

import msgspec
from msgspec import inspect
from rest_framework.request import Request

from kernel.refusal import FieldError, Invalid, Malformed, TooLarge, WrongMediaType

MOST_BYTES = 64 * 1024
MOST_DEPTH = 32
#: No mapping of the contract has more.
ENTRIES_LOOKED_AT = 50
#: A sign of Chinese is three bytes, or six where a client escapes it.
TOO_MANY = f"A body has at most {MOST_BYTES:,} bytes; what is not ASCII takes fewer as UTF-8 than escaped (\\u…)."
#: A time at the calendar's very ends falls over them in another zone: stored, it could never be read again.
YEARS = range(1900, 3000)
#: Possessive, and happy without its end: an unfinished string is read once, not once from each quote in it.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_HALF = re.compile("[\ud800-\udfff]")
_NESTING = re.compile(rb"[\[{]|[\]}]")
#: How msgspec shows the end of a pattern of ours, which only says that no line break follows.
_ENDS = "(?!\\\\n)"
_NAMED = re.compile(r"Object (?:contains unknown|missing required) field `(.*)`", re.DOTALL)
#: Of a field that is a mapping itself.
_SOME_ENTRY = re.compile(r" - at (?:`\$\.\w+\[\.\.\.\]`|`key` in `\$\.\w+`)$")
_WHERE = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`\$?(?P<path>[^`]*)`)?$", re.DOTALL)


class Wire(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A shape of the API. `parse` reads one from a request; an instance is what an answer is made of."""

    @classmethod
    def parse(cls, request: Request) -> Self:
        """The request's JSON body in this shape.

        Raises:
            Malformed, TooLarge, WrongMediaType: the bytes are not JSON we take.
            Invalid: they are, and some field is not what the contract says.
        """
        return cls.of(read_object(request))

    @classmethod
    def parse_query(cls, request: Request) -> Self:
        """The query string in this shape, each name at most once.

        Raises:
            Invalid: an unknown or doubled name, or a value of another kind.
        """
        given: dict[str, str] = {}
        for name, values in request.query_params.lists():
            if len(values) != 1:
                raise Invalid(errors=[FieldError(f"?{name}", "given more than once")])
            _check_text(name)
            _check_text(values[0], f"?{name}")
            given[name] = values[0]
        try:
            made = cls.of(given, strict=False)
        except Invalid as wrong:
            raise Invalid(errors=[_in_query(error, given) for error in wrong.errors]) from None
        for name, text in given.items():
            if _misread(text, getattr(made, name)):
                raise Invalid(errors=[FieldError(f"?{name}", "not a value of this kind")])
        return made

    @classmethod
    def of(cls, data: Mapping[str, Any], *, strict: bool = True) -> Self:
        try:
            made = msgspec.convert(data, cls, strict=strict)
        except msgspec.ValidationError as exc:
            raise Invalid(errors=[_field_error(str(exc), cls, data)]) from None
        for name in cls.__struct_fields__:
            value = getattr(made, name)
            if isinstance(value, datetime):
                if value.year not in YEARS:
                    raise Invalid(errors=[FieldError(f"/{name}", "not a time of these centuries")])
                setattr(made, name, value.astimezone(UTC))
        return made


def _misread(text: str, value: object) -> bool:
    """Whether msgspec, which reads a query leniently, took the text for more than it says.

    For it `null` is nothing, 1e1 is ten, and 1764000000 is a time.
    """
    if isinstance(value, datetime):
        return ":" not in text
    return value is None or (isinstance(value, int) and not text.removeprefix("-").isdecimal())


def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object: ≤ 64 kB, ≤ 32 deep, no name twice, no float, no NUL, no half of a character."""
    raw = read_bytes(request)
    if raw and request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise WrongMediaType
    return decode(raw or b"{}")


def read_bytes(request: Request) -> bytes:
    """The bytes as sent, if they are not more than any request needs.

    Raises:
        TooLarge: they are.
    """
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > MOST_BYTES:
        raise TooLarge(TOO_MANY)
    raw: bytes = request._request.body  # noqa: SLF001  DRF would parse them
    if len(raw) > MOST_BYTES:
        raise TooLarge(TOO_MANY)
    return raw


def decode(raw: bytes) -> dict[str, Any]:
    """The JSON object these bytes are, by the rules above."""
    depth = 0
    for bracket in _NESTING.finditer(_STRING.sub(b'""', raw)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MOST_DEPTH:
            raise Malformed(f"The JSON is nested more than {MOST_DEPTH} deep.")
    try:
        data = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_object, parse_float=_float, parse_constant=_float, parse_int=_int
        )
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except json.JSONDecodeError as exc:
        raise Malformed(f"The body is not JSON: {exc.msg} (byte {exc.pos}).") from None
    except Invalid as wrong:
        raise Invalid(wrong.detail, field=_place_of_number(raw)) from None
    if not isinstance(data, dict):
        raise Malformed("The body must be a JSON object.")
    if b"\\u" in raw:
        _check_texts(data)
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise Malformed(f"The name {twice[:40]!a} stands twice in one JSON object.")
    return data


def _int(text: str) -> int:
    if len(text) > len(str(-(2**63))) or not -(2**63) <= int(text) < 2**63:
        raise Invalid("A number is too large.")
    return int(text)


def _float(text: str) -> NoReturn:
    raise Invalid(f"Numbers are whole: amounts are minor units (not {text[:20]}).")


class _Wrong(str):
    """A number that we do not take, as it was written."""

    __slots__ = ()

    @classmethod
    def or_not(cls, text: str) -> "int | _Wrong":
        try:
            return _int(text)
        except Invalid:
            return cls(text)


def _place_of_number(raw: bytes) -> str:
    """Where the first number stands that we do not take; empty where the rest cannot be read to find it."""
    try:
        data = json.loads(raw, parse_float=_Wrong, parse_constant=_Wrong, parse_int=_Wrong.or_not)
    except ValueError:
        return ""
    return next((pointer for pointer, value in _leaves(data) if isinstance(value, _Wrong)), "")


def _leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Each text and number of a JSON value, and its place; a name is a text in the place of its object."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield pointer, name
            yield from _leaves(entry, f"{pointer}/{_escaped(name)}")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _leaves(entry, f"{pointer}/{index}")
    else:
        yield pointer, value


def _check_texts(data: dict[str, Any]) -> None:
    for pointer, value in _leaves(data):
        if isinstance(value, str):
            _check_text(value, pointer)


def _check_text(text: str, field: str = "") -> None:
    if "\0" in text:
        raise Invalid("Text may not hold NUL.", field=field)
    if _HALF.search(text):
        raise Invalid("Text holds half of a surrogate pair.", field=field)


def _in_query(error: FieldError, given: Mapping[str, str]) -> FieldError:
    """The same of a query: there a `+` that was not escaped came as a space."""
    name = error.pointer.removeprefix("/")
    spaced = "RFC3339" in str(error.detail) and " " in given.get(name, "")
    return FieldError(f"?{name}", f"{error.detail}; a + is written %2B in a query" if spaced else error.detail)


@lru_cache
def _choices(shape: type[Wire]) -> Mapping[str, list[str]]:
    """The values that its fields with a few of them take."""
    described = cast("inspect.StructType", inspect.type_info(shape))
    kinds = {f"/{each.encode_name}": each.type for each in described.fields}
    return {pointer: sorted(_values(kind)) for pointer, kind in kinds.items()}


def _values(kind: inspect.Type) -> Iterator[str]:
    if isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _values(each)
    elif isinstance(kind, inspect.LiteralType):
        yield from map(str, kind.values)
    elif isinstance(kind, inspect.EnumType):
        yield from (str(each.value) for each in kind.cls)


def _entry_of(message: str, shape: type[Wire], data: Mapping[str, Any], field: str) -> str:
    """Which entry of a mapping it is about: msgspec says only which mapping. The first ones are looked at alone."""
    entries = data.get(field)
    for name, value in islice(entries.items(), ENTRIES_LOOKED_AT) if isinstance(entries, dict) else ():
        try:
            msgspec.convert({**data, field: {name: value}}, shape)
        except msgspec.ValidationError as exc:
            if str(exc) == message:
                return f"/{field}/{_escaped(name)}"
    return f"/{field}"


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _field_error(message: str, shape: type[Wire], data: Mapping[str, Any]) -> FieldError:
    error = _pointed(message)
    if _SOME_ENTRY.search(message):
        return FieldError(_entry_of(message, shape, data, error.pointer.removeprefix("/")), error.detail)
    if str(error.detail).startswith("Invalid enum value") and (choices := _choices(shape).get(error.pointer)):
        return FieldError(error.pointer, f"{error.detail}: not one of {', '.join(choices)}")
    return error


def _pointed(message: str) -> FieldError:
    found = _WHERE.match(message)
    what, path = (found["what"], found["path"] or "") if found else (message, "")
    if "matching regex" in what:  # as its author wrote it
        what = what.replace(_ENDS, "").replace("\\\\", "\\")
    named = _NAMED.fullmatch(what)
    path = f"{path}.{named[1]}" if named else path
    return FieldError(re.sub(r"\[(\d+)\]|(\[\.\.\.\])|\.", lambda m: "" if m[2] else f"/{m[1] or ''}", path), what)
