"""Labels of tables, columns and values on the console, in the reader's language.

The English labels come from the code's own names: `out_order_no` is "out order no". The Chinese ones are in the message
catalogue under contexts of their own, because `at` is a column here and something else in a sentence.
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

APP, TABLE, COLUMN, VALUE = "part", "table", "column", "value"
#: Contexts for kinds of posting and for channel answers: the same code means something else elsewhere.
POSTING_KIND, CHANNEL_ANSWER = "posted", "heard"
#: Context for system jobs.
JOB = "job"
#: Context for events of an account.
ACCOUNT = "account"
#: Context for colleagues' roles.
ROLE = "role"
#: All labels that can be translated, with their context.
REGISTERED_LABELS: set[tuple[str, str]] = set()
#: The CSS class of a state's badge, for any model. States in none of these have no colour.
_BADGE_CLASSES = {
    "good": {"deducted", "paid", "succeeded", "delivered", "active", "enabled", "approved", "agreed", "confirmed"}
    | {"won", "sent", "granted", "closed"},
    "bad": {"overdue", "failed", "given_up", "written_off", "disabled", "refused", "dead", "lost", "denied"}
    | {"suspended", "borne", "not_sent"},
    "warn": {"completed", "pending", "unknown", "waiting", "paused", "contested", "advanced", "asked", "applied"}
    | {"checked", "closing", "queued"},
    "go": {"open", "created", "prepared", "paying"},
}
_LABELLED_COLUMNS = {"state", "kind", "stage", "outcome", "source", "target"}
#: Labels of history lines by model and kind. Filled in by the office app.
HISTORY_LABELS: dict[type, Mapping[str, str | Promise]] = {}
_PLURALS = {"person": "people", "counted": "counted streams"}


def label_admin(model_admin: "ModelAdmin[Any]", columns: list[str]) -> None:
    """Set translated labels for a model admin's table, its columns and values, and other columns shown with them.

    Existing labels that are no plain ASCII name, such as Django's own translated ones, are kept.
    """
    for context, key, set_label in _label_targets(model_admin, columns):
        if isinstance(key, str) and key.isascii():
            REGISTERED_LABELS.add((context, key))
            set_label(pgettext_lazy(context, key))


def register_codes(codes: Iterable[str], context: str = VALUE) -> None:
    """Register labels for codes that are not choices of a column."""
    REGISTERED_LABELS.update((context, _label_key(code)) for code in codes)


def register_data_keys(names: Iterable[str]) -> None:
    """Register column labels for keys of JSON data."""
    REGISTERED_LABELS.update((COLUMN, name.replace("_", " ")) for name in names)


def value_label(code: str, context: str = VALUE) -> str:
    """The label of a code; an unregistered code is returned unchanged."""
    key = _label_key(code)
    return pgettext(context, key) if (context, key) in REGISTERED_LABELS else code


def role_labels(codes: Iterable[str]) -> str:
    """The labels of a colleague's roles, joined; a dash if there are none."""
    between = "、" if (get_language() or "").startswith("zh") else ", "
    return between.join(value_label(code, ROLE) for code in codes) or "–"


def history_label(line: Any) -> str | Promise:
    """The label of a line of history; its kind if that has no label."""
    kind: str = line.kind
    return HISTORY_LABELS.get(type(line), {}).get(kind, kind)


def column_label(name: str) -> str:
    """The label of a column or of a key in JSON data; an unregistered name is returned unchanged."""
    key = name.replace("_", " ")
    return pgettext(COLUMN, key) if (COLUMN, key) in REGISTERED_LABELS else name


def display_column(model_admin: "ModelAdmin[Any]", name: str) -> str:
    """The name of the list column that displays this field with labels: states as badges; otherwise the name itself."""
    meta = model_admin.model._meta
    field = next((field for field in meta.concrete_fields if field.name == name), None)
    if field is None or name not in _LABELLED_COLUMNS or (field.choices and name != "state"):
        return name

    def display(row: Any) -> str | Promise:
        code = getattr(row, name)
        if name == "kind" and type(row) in HISTORY_LABELS:
            return history_label(row)
        return (
            state_badge(code, row.get_state_display())
            if name == "state"
            else value_label(code, getattr(model_admin, "value_context", VALUE))
        )

    display.short_description = field.verbose_name  # type: ignore[attr-defined]
    display.admin_order_field = name  # type: ignore[attr-defined]
    setattr(model_admin, f"{name}_said", display)
    return f"{name}_said"


def _label_key(code: str) -> str:
    """The code in the form in which Django labels enum choices."""
    return code.replace("_", " ").title()


def _label_targets(
    model_admin: "ModelAdmin[Any]", columns: list[str]
) -> Iterator[tuple[str, Any, Callable[[Any], object]]]:
    """Everything that has a label: its context, its current English label, and a function that sets another."""
    meta = model_admin.model._meta
    app_config = apps.get_app_config(meta.app_label)
    yield APP, app_config.verbose_name, partial(setattr, app_config, "verbose_name")
    if "verbose_name_plural" not in meta.original_attrs:
        yield TABLE, _plural(str(meta.verbose_name)), partial(setattr, meta, "verbose_name_plural")
    yield TABLE, meta.verbose_name, partial(setattr, meta, "verbose_name")
    fields = {field.name: field for field in meta.concrete_fields}
    for field in fields.values():
        yield COLUMN, field.verbose_name, partial(setattr, field, "verbose_name")
        for place, (_value, label) in enumerate(field.choices or ()):
            yield VALUE, label, partial(_set_choice_label, field, place)
    for name in columns:
        if name not in fields:
            function = _column_function(model_admin, name)
            label = getattr(function, "short_description", name.replace("__", " ").replace("_", " "))
            yield COLUMN, label, partial(setattr, function, "short_description")


def _plural(one: str) -> str:
    """The English plural; Django's default only adds an s."""
    return _PLURALS.get(one) or (f"{one[:-1]}ies" if re.search("[^aeo]y$", one) else f"{one}s")


def _set_choice_label(field: "Field[Any, Any]", index: int, label: Any) -> None:
    choices: list[Any] = list(field.choices or ())
    choices[index] = (choices[index][0], label)
    field.choices = choices


def _column_function(model_admin: "ModelAdmin[Any]", name: str) -> Any:
    """The function behind a column that is no model field; creates one for a path over relations."""
    own = getattr(model_admin, name, None)
    if own is not None:
        return own.__func__
    found = getattr(model_admin.model, name, None)
    if isinstance(found, property):
        return found.fget
    read = attrgetter(name.replace("__", "."))

    def column(row: Any) -> Any:
        return read(row)

    setattr(model_admin, name, column)
    return column


def state_badge(state: str, words: object) -> SafeString:
    """A state's label as a coloured badge."""
    css_class = next((look for look, states in _BADGE_CLASSES.items() if state in states), "")
    return format_html('<span class="badge {}">{}</span>', css_class, words)
