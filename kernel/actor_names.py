"""Who did something, as a colleague reads it: what stands written beside a change is a code (`kernel.actor`)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.auth import get_user_model
from django.db.models import CharField
from django.utils.translation import gettext_lazy as _

from kernel import ids
from kernel.naming import JOB, name_codes, value

#: What the house does by itself, by the names under which it writes it down.
JOBS = (
    *("ask", "colleague", "day_end", "deduct", "demo", "disputes", "enrol", "erase", "expire", "invitation", "join"),
    *(
        "outage",
        "overdue",
        "pages",
        "pay_out",
        "reconcile",
        "returns",
        "send_again",
        "settle",
        "sign-in",
        "sign-up",
        "webhooks",
    ),
)
#: Columns that say who did something.
COLUMNS = frozenset({"by", "asked_by", "decided_by", "began_by", "ended_by", "closed_by"})
#: Everybody but colleagues, who have names.
_WORDS = {
    "member": _("the merchant's staff: %(name)s"),
    "merchant": _("the merchant's program, key …%(hint)s"),
    "person": _("the customer"),
    "channel": _("the channel %(name)s"),
    "system": _("automatically: %(job)s"),
}
_NAMES = "_names_of_doers"
name_codes(JOBS, JOB)


def names_of(bys: Iterable[str]) -> dict[str, str]:
    """The sign-in names of those among them who sign in: colleagues, and the staff of merchants."""
    keys = {by: [ids.parse("usr", one) for one in by.partition(":")[2].split("+")] for by in bys if _signs_in(by)}
    wanted = {key for several in keys.values() for key in several if key}
    users = get_user_model().objects.filter(pk__in=wanted) if wanted else ()
    found = {user.pk: str(user) for user in users}
    known = {by: [found.get(key) for key in several if key] for by, several in keys.items()}
    return {by: " + ".join(map(str, names)) for by, names in known.items() if names and None not in names}


def said(by: str, names: Mapping[str, str]) -> str:
    """Who that was, in words; a colleague by the name they sign in with. What nobody is called stays as it is."""
    kind, _colon, name = by.partition(":")
    if kind not in _WORDS:
        return names.get(by, by)
    return _WORDS[kind] % {"name": names.get(by, name), "hint": name[-4:], "job": value(name, JOB)}


def shown(table: "ModelAdmin[Any]", name: str) -> str:
    """The column of a list that says in words who did it; any other stays the same."""
    field = next((field for field in table.model._meta.concrete_fields if field.name == name), None)
    if name not in COLUMNS or not isinstance(field, CharField):
        return name

    def told(row: Any) -> str:
        by: str = getattr(row, name)
        return said(by, row.__dict__.get(_NAMES, {})) if by else ""

    told.short_description = field.verbose_name  # type: ignore[attr-defined]
    told.admin_order_field = name  # type: ignore[attr-defined]
    setattr(table, f"{name}_told", told)
    return f"{name}_told"


def tell(rows: Sequence[Any], columns: Collection[str]) -> None:
    """Let these rows of a list know the names of those who stand in such columns of theirs, by one question."""
    there = [name.removesuffix("_told") for name in columns if name.endswith("_told")]
    if not there:
        return
    names = names_of(by for row in rows for name in there if (by := getattr(row, name)))
    for row in rows:
        row.__dict__[_NAMES] = names


def _signs_in(by: str) -> bool:
    return by.startswith(("staff:", "member:"))
