"""The API's JSON: strict, bounded and typed by msgspec. Unknown fields are refused, not ignored."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, NoReturn, Self, cast

import msgspec
from msgspec import inspect
from rest_framework.request import Request

from kernel.refusal import FieldError, Invalid, Malformed, TooLarge, WrongMediaType

BODY_BYTES_MAX = 64 * 1024
DEPTH_MAX = 32
#: No mapping in the API has more entries than this.
CHECKED_ENTRIES_MAX = 50
#: A Chinese character takes three bytes, or six if the client escapes it.
TOO_LARGE_DETAIL = (
    f"A body has at most {BODY_BYTES_MAX:,} bytes; what is not ASCII takes fewer as UTF-8 than escaped (\\u…)."
)
#: A time at either end of the calendar overflows in another time zone, so once stored it could not be read again.
YEARS = range(1900, 3000)
#: Possessive, and with an optional closing quote: an unterminated string is scanned once, not from each quote in it.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_NESTING = re.compile(rb"[\[{]|[\]}]")
#: The end of our patterns as msgspec shows it; it only excludes a trailing line break.
_PATTERN_END = "(?!\\\\n)"
_FIELD_NAME = re.compile(r"Object (?:contains unknown|missing required) field `(.*)`", re.DOTALL)
#: An error in an entry of a field that is a mapping.
_MAPPING_ENTRY = re.compile(r" - at (?:`\$\.\w+\[\.\.\.\]`|`key` in `\$\.\w+`)$")
_ERROR_PATH = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`\$?(?P<path>[^`]*)`)?$", re.DOTALL)


#: A time, in UTC in responses.
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Wire(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base class of the API's request and response schemas. `parse` reads one from a request."""

    @classmethod
    def parse(cls, request: Request) -> Self:
        """Parse the request's JSON body.

        Raises:
            Malformed, TooLarge, WrongMediaType: the body is not acceptable JSON.
            Invalid: a field does not match the schema.
        """
        return cls.of(read_object(request))

    @classmethod
    def parse_query(cls, request: Request) -> Self:
        """Parse the query string; each parameter at most once.

        Raises:
            Invalid: a parameter is unknown or repeated, or its value is of the wrong type.
        """
        params: dict[str, str] = {}
        for name, values in request.query_params.lists():
            if len(values) != 1:
                raise Invalid(errors=[FieldError(f"?{name}", "given more than once")])
            _check_text(name)
            _check_text(values[0], f"?{name}")
            params[name] = values[0]
        try:
            parsed = cls.of(params, strict=False)
        except Invalid as wrong:
            raise Invalid(errors=[_as_query_error(error, params) for error in wrong.errors]) from None
        for name, text in params.items():
            if _is_misread(text, getattr(parsed, name)):
                raise Invalid(errors=[FieldError(f"?{name}", "not a value of this kind")])
        return parsed

    @classmethod
    def of(cls, data: Mapping[str, Any], *, strict: bool = True) -> Self:
        try:
            parsed = msgspec.convert(data, cls, strict=strict)
        except msgspec.ValidationError as exc:
            raise Invalid(errors=[_field_error(str(exc), cls, data)]) from None
        for name in cls.__struct_fields__:
            value = getattr(parsed, name)
            if isinstance(value, datetime):
                if value.year not in YEARS:
                    raise Invalid(errors=[FieldError(f"/{name}", "not a time of these centuries")])
                setattr(parsed, name, value.astimezone(UTC))
        return parsed


def _is_misread(text: str, value: object) -> bool:
    """Whether msgspec, which is lenient with query strings, converted a text that is not in our form.

    It takes `null` for None, 1e1 for ten, and 1764000000 for a time.
    """
    if isinstance(value, datetime):
        return ":" not in text
    return value is None or (isinstance(value, int) and not text.removeprefix("-").isdecimal())


def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object: ≤ 64 kB, ≤ 32 deep, no repeated names, floats, NULs or lone surrogates."""
    raw = read_bytes(request)
    if raw and request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise WrongMediaType
    return decode(raw or b"{}")


def read_bytes(request: Request) -> bytes:
    """The raw body.

    Raises:
        TooLarge: it exceeds `BODY_BYTES_MAX`.
    """
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
        raise TooLarge(TOO_LARGE_DETAIL)
    raw: bytes = request._request.body  # noqa: SLF001  DRF would parse them
    if len(raw) > BODY_BYTES_MAX:
        raise TooLarge(TOO_LARGE_DETAIL)
    return raw


def decode(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object by the rules of `read_object`."""
    depth = 0
    for bracket in _NESTING.finditer(_STRING.sub(b'""', raw)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEPTH_MAX:
            raise Malformed(f"The JSON is nested more than {DEPTH_MAX} deep.")
    try:
        data = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_parse_object,
            parse_float=_reject_float,
            parse_constant=_reject_float,
            parse_int=_parse_int,
        )
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except json.JSONDecodeError as exc:
        raise Malformed(f"The body is not JSON: {exc.msg} (character {exc.pos}).") from None
    except Invalid as wrong:
        raise Invalid(wrong.detail, field=_pointer_to_bad_number(raw)) from None
    if not isinstance(data, dict):
        raise Malformed("The body must be a JSON object.")
    if b"\\u" in raw:
        _check_texts(data)
    return data


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        duplicate = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise Malformed(f"The name {duplicate[:40]!a} stands twice in one JSON object.")
    return data


def _parse_int(text: str) -> int:
    if len(text) > len(str(-(2**63))) or not -(2**63) <= int(text) < 2**63:
        raise Invalid("A number is too large.")
    return int(text)


def _reject_float(text: str) -> NoReturn:
    raise Invalid(f"Numbers are whole: amounts are minor units (not {text[:20]}).")


class _RejectedNumber(str):
    """A number that we do not accept, as it was written."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "int | _RejectedNumber":
        try:
            return _parse_int(text)
        except Invalid:
            return cls(text)


def _pointer_to_bad_number(raw: bytes) -> str:
    """The JSON pointer to the first number we do not accept; empty if it is not found or not valid UTF-8."""
    try:
        data = json.loads(
            raw, parse_float=_RejectedNumber, parse_constant=_RejectedNumber, parse_int=_RejectedNumber.parse
        )
    except ValueError:
        return ""
    pointer = next((pointer for pointer, value in _leaves(data) if isinstance(value, _RejectedNumber)), "")
    surrogate = _SURROGATE.search(pointer)
    return pointer[: pointer.rfind("/", 0, surrogate.start())] if surrogate else pointer


def _leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Each text and number of a JSON value with its pointer; a name counts as a text at its object's pointer."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield pointer, name
            yield from _leaves(entry, f"{pointer}/{_escape_pointer(name)}")
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
    if _SURROGATE.search(text):
        raise Invalid("Text holds half of a surrogate pair.", field=field)


def _as_query_error(error: FieldError, params: Mapping[str, str]) -> FieldError:
    """The error for a query parameter, with a hint if an unescaped `+` was decoded as a space."""
    name = error.pointer.removeprefix("/")
    has_space = "RFC3339" in str(error.detail) and " " in params.get(name, "")
    return FieldError(f"?{name}", f"{error.detail}; a + is written %2B in a query" if has_space else error.detail)


@lru_cache
def _choices_by_field(schema: type[Wire]) -> Mapping[str, list[str]]:
    """The allowed values of the schema's enum fields, by pointer."""
    described = cast("inspect.StructType", inspect.type_info(schema))
    kinds = {f"/{each.encode_name}": each.type for each in described.fields}
    return {pointer: sorted(_allowed_values(kind)) for pointer, kind in kinds.items()}


def _allowed_values(kind: inspect.Type) -> Iterator[str]:
    if isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _allowed_values(each)
    elif isinstance(kind, inspect.LiteralType):
        yield from map(str, kind.values)
    elif isinstance(kind, inspect.EnumType):
        yield from (str(each.value) for each in kind.cls)


def _pointer_to_entry(message: str, schema: type[Wire], data: Mapping[str, Any], field: str) -> str:
    """The pointer to the invalid entry of a mapping. msgspec names only the mapping, so entries are checked singly."""
    entries = data.get(field)
    for name, value in islice(entries.items(), CHECKED_ENTRIES_MAX) if isinstance(entries, dict) else ():
        try:
            msgspec.convert({**data, field: {name: value}}, schema)
        except msgspec.ValidationError as exc:
            if str(exc) == message:
                return f"/{field}/{_escape_pointer(name)}"
    return f"/{field}"


def _escape_pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _field_error(message: str, schema: type[Wire], data: Mapping[str, Any]) -> FieldError:
    error = _to_field_error(message)
    if _MAPPING_ENTRY.search(message):
        return FieldError(_pointer_to_entry(message, schema, data, error.pointer.removeprefix("/")), error.detail)
    if str(error.detail).startswith("Invalid enum value") and (choices := _choices_by_field(schema).get(error.pointer)):
        return FieldError(error.pointer, f"{error.detail}: not one of {', '.join(choices)}")
    return error


def _to_field_error(message: str) -> FieldError:
    match = _ERROR_PATH.match(message)
    detail, path = (match["what"], match["path"] or "") if match else (message, "")
    if "matching regex" in detail:  # show the pattern as it is written in the code
        detail = detail.replace(_PATTERN_END, "").replace("\\\\", "\\")
    pointer = re.sub(r"\[(\d+)\]|(\[\.\.\.\])|\.", lambda m: "" if m[2] else f"/{m[1] or ''}", path)
    field = _FIELD_NAME.fullmatch(detail)
    return FieldError(f"{pointer}/{_escape_pointer(field[1])}" if field else pointer, detail)
