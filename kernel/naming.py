"""What tables, their columns and their values are called at the console, in its reader's language.

The code's own names are the English ones: `out_order_no` reads "out order no". Their Chinese stands in a catalogue, in
contexts of its own, for `at` is a column here and something else in a sentence.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from operator import attrgetter
from typing import Any

from django.apps import apps
from django.contrib.admin import ModelAdmin
from django.db.models import Field
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, pgettext, pgettext_lazy

PART, TABLE, COLUMN, VALUE = "part", "table", "column", "value"
#: What moved in the book, and what a channel said: the same code is something else elsewhere.
POSTED, HEARD = "posted", "heard"
#: What the house does by itself.
JOB = "job"
#: What happened to an account.
ACCOUNT = "account"
#: What a colleague is here.
ROLE = "role"
#: Every name that was given, with its context.
NAMED: set[tuple[str, str]] = set()
#: How a state looks, whatever its row is of. What stands in none of these is quiet.
_LOOKS = {
    "good": {"deducted", "paid", "succeeded", "delivered", "active", "enabled", "approved", "agreed", "confirmed"}
    | {"won", "sent", "granted", "closed"},
    "bad": {"overdue", "failed", "given_up", "written_off", "disabled", "refused", "dead", "lost", "denied"}
    | {"suspended", "borne", "not_sent"},
    "warn": {"completed", "pending", "unknown", "waiting", "paused", "contested", "advanced", "asked", "applied"}
    | {"checked", "closing", "queued"},
    "go": {"open", "created", "prepared", "paying"},
}
_SPOKEN = {"state", "kind", "stage", "outcome", "source", "target"}
#: What the lines of a life's history say has happened: of each table of such lines, by their kind. The office fills it.
HAPPENED: dict[type, Mapping[str, str | Promise]] = {}
_PLURALS = {"person": "people", "counted": "counted streams"}


def name_all(shown: "ModelAdmin[Any]", columns: list[str]) -> None:
    """Call the table that is `shown`, its columns and values, and what else is shown of its rows, by their names.

    What has a name in words already, such as a column of Django's own, keeps it.
    """
    for context, key, put in _names(shown, columns):
        if isinstance(key, str) and key.isascii():
            NAMED.add((context, key))
            put(pgettext_lazy(context, key))


def name_codes(codes: Iterable[str], context: str = VALUE) -> None:
    """Let these codes, which no column offers as choices, be said in words as its values are."""
    NAMED.update((context, _readable(code)) for code in codes)


def name_parts(names: Iterable[str]) -> None:
    """Let these parts of a row's data, which are no columns, be called by names as columns are."""
    NAMED.update((COLUMN, name.replace("_", " ")) for name in names)


def value(code: str, context: str = VALUE) -> str:
    """A code in words; one that was never named stays as it is."""
    key = _readable(code)
    return pgettext(context, key) if (context, key) in NAMED else code


def roles(codes: Iterable[str]) -> str:
    """What a colleague is here, in words, one after the other; a dash for nothing."""
    between = "、" if (get_language() or "").startswith("zh") else ", "
    return between.join(value(code, ROLE) for code in codes) or "–"


def happened(line: Any) -> str | Promise:
    """What a line of history says has happened; one of a kind that nobody put into words stays as it is."""
    kind: str = line.kind
    return HAPPENED.get(type(line), {}).get(kind, kind)


def column(name: str) -> str:
    """What a column is called, or a part of a row's data that bears a column's name."""
    key = name.replace("_", " ")
    return pgettext(COLUMN, key) if (COLUMN, key) in NAMED else name


def spoken(shown: "ModelAdmin[Any]", name: str) -> str:
    """The column of a list that says this one in words: a state as a badge, a code by its name; else the same."""
    meta = shown.model._meta
    field = next((field for field in meta.concrete_fields if field.name == name), None)
    if field is None or name not in _SPOKEN or (field.choices and name != "state"):
        return name

    def said(row: Any) -> str | Promise:
        code = getattr(row, name)
        if name == "kind" and type(row) in HAPPENED:
            return happened(row)
        return badge(code, row.get_state_display()) if name == "state" else value(code, getattr(shown, "speaks", VALUE))

    said.short_description = field.verbose_name  # type: ignore[attr-defined]
    said.admin_order_field = name  # type: ignore[attr-defined]
    setattr(shown, f"{name}_said", said)
    return f"{name}_said"


def _readable(code: str) -> str:
    """As Django calls the choices of a column."""
    return code.replace("_", " ").title()


def _names(shown: "ModelAdmin[Any]", columns: list[str]) -> Iterator[tuple[str, Any, Callable[[Any], object]]]:
    """What is called something: as what, by which English name so far, and where to write another."""
    meta = shown.model._meta
    part = apps.get_app_config(meta.app_label)
    yield PART, part.verbose_name, partial(setattr, part, "verbose_name")
    if "verbose_name_plural" not in meta.original_attrs:
        yield TABLE, _plural(str(meta.verbose_name)), partial(setattr, meta, "verbose_name_plural")
    yield TABLE, meta.verbose_name, partial(setattr, meta, "verbose_name")
    fields = {field.name: field for field in meta.concrete_fields}
    for field in fields.values():
        yield COLUMN, field.verbose_name, partial(setattr, field, "verbose_name")
        for place, (_value, label) in enumerate(field.choices or ()):
            yield VALUE, label, partial(_call_value, field, place)
    for name in columns:
        if name not in fields:
            bearer = _bearer(shown, name)
            called = getattr(bearer, "short_description", name.replace("__", " ").replace("_", " "))
            yield COLUMN, called, partial(setattr, bearer, "short_description")


def _plural(one: str) -> str:
    """Django adds an s to everything."""
    return _PLURALS.get(one) or (f"{one[:-1]}ies" if re.search("[^aeo]y$", one) else f"{one}s")


def _call_value(field: "Field[Any, Any]", place: int, label: Any) -> None:
    choices: list[Any] = list(field.choices or ())
    choices[place] = (choices[place][0], label)
    field.choices = choices


def _bearer(shown: "ModelAdmin[Any]", name: str) -> Any:
    """The function that bears the name of a column which is none of the table's own."""
    own = getattr(shown, name, None)
    if own is not None:
        return own.__func__
    found = getattr(shown.model, name, None)
    if isinstance(found, property):
        return found.fget
    read = attrgetter(name.replace("__", "."))

    def column(row: Any) -> Any:
        return read(row)

    setattr(shown, name, column)
    return column


def badge(state: str, words: object) -> SafeString:
    """A state in words, in the colour of how it goes."""
    look = next((look for look, states in _LOOKS.items() if state in states), "")
    return format_html('<span class="badge {}">{}</span>', look, words)
