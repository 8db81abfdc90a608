"""Readable names of actors for console pages; the stored form is a code (`kernel.actor`)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.auth import get_user_model
from django.db.models import CharField
from django.utils.translation import gettext_lazy as _

from kernel import ids
from kernel.labels import JOB, register_codes, value_label

#: The names of system actors: automatic jobs that change data.
SYSTEM_JOBS = (
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
#: Model fields that hold an actor.
ACTOR_COLUMNS = frozenset({"by", "asked_by", "decided_by", "began_by", "ended_by", "closed_by"})
#: Descriptions by kind of actor; staff are shown by their sign-in name alone.
_DESCRIPTIONS = {
    "member": _("the merchant's staff: %(name)s"),
    "merchant": _("the merchant's program, key …%(hint)s"),
    "person": _("the customer"),
    "channel": _("the channel %(name)s"),
    "system": _("automatically: %(job)s"),
}
_NAMES_ATTR = "_names_of_doers"
register_codes(SYSTEM_JOBS, JOB)


def usernames_of(actors: Iterable[str]) -> dict[str, str]:
    """The sign-in names of the actors that are staff or merchants' staff, by actor."""
    keys = {by: [ids.parse("usr", one) for one in by.partition(":")[2].split("+")] for by in actors if _signs_in(by)}
    wanted = {key for ids_of_actor in keys.values() for key in ids_of_actor if key}
    users = get_user_model().objects.filter(pk__in=wanted) if wanted else ()
    found = {user.pk: str(user) for user in users}
    known = {by: [found.get(key) for key in several if key] for by, several in keys.items()}
    return {by: " + ".join(map(str, names)) for by, names in known.items() if names and None not in names}


def describe_actor(by: str, names: Mapping[str, str]) -> str:
    """The actor in words; a colleague by sign-in name. An unknown one stays as it is."""
    kind, _colon, name = by.partition(":")
    if kind not in _DESCRIPTIONS:
        return names.get(by, by)
    return _DESCRIPTIONS[kind] % {"name": names.get(by, name), "hint": name[-4:], "job": value_label(name, JOB)}


def actor_column(model_admin: "ModelAdmin[Any]", name: str) -> str:
    """The name of a list column that describes the actor in this field; of any other field, its own name."""
    field = next((field for field in model_admin.model._meta.concrete_fields if field.name == name), None)
    if name not in ACTOR_COLUMNS or not isinstance(field, CharField):
        return name

    def describe(row: Any) -> str:
        by: str = getattr(row, name)
        return describe_actor(by, row.__dict__.get(_NAMES_ATTR, {})) if by else ""

    describe.short_description = field.verbose_name  # type: ignore[attr-defined]
    describe.admin_order_field = name  # type: ignore[attr-defined]
    setattr(model_admin, f"{name}_told", describe)
    return f"{name}_told"


def attach_actor_names(rows: Sequence[Any], columns: Collection[str]) -> None:
    """Attach to each row the names of the actors in its actor columns, with one query."""
    fields = [name.removesuffix("_told") for name in columns if name.endswith("_told")]
    if not fields:
        return
    names = usernames_of(by for row in rows for name in fields if (by := getattr(row, name)))
    for row in rows:
        row.__dict__[_NAMES_ATTR] = names


def _signs_in(by: str) -> bool:
    return by.startswith(("staff:", "member:"))
