"""What no colleague does alone: one asks for it, another agrees, and then exactly that is done.

What is asked for is plain JSON, kept beside what it is about as that stood. Kinds of it are registered by the roof.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.forms import BooleanField, CheckboxInput
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from kernel import ids
from kernel.actor import Actor
from kernel.console_actions import Colleague, Done, Verb, VerbForm, Words
from kernel.console_lists import page_of
from kernel.lifecycle import Lifecycle
from kernel.refusal import Busy, Invalid, NotFound
from kernel.transactions import in_transaction

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One kind of thing that takes two. `about` is the public id or the name of what it is about."""

    name: str
    label: Words
    #: Who asks for it, and who may agree.
    askers: tuple[str, ...]
    deciders: tuple[str, ...]
    #: What it is about as it stands now, held until the transaction ends where there is one. NotFound if it is gone.
    stands: Callable[[str], Plain]
    #: What was asked for, by the same names where it changes what stands.
    wanted: Callable[[str, Plain], Plain]
    #: What would happen now. It may refuse.
    says: Callable[[str, Plain, datetime], Words]
    run: Callable[[str, Plain, str, Actor, datetime], "Words | Done"]
    #: Where what it is about is shown.
    address: Callable[[str], str]
    #: What its parts are called.
    names: Mapping[str, Words]
    #: Its verb, where it is one.
    verb: Verb | None = None


Ask = Callable[[Colleague, str, str, Plain, str], Words]
#: Every kind there is, by name, and how one is asked for. The roof fills them in.
MATTERS: dict[str, Matter] = {}
ASKS: list[Ask] = []


def ask_second(colleague: Colleague, matter: str, about: str, wish: Plain, why: str) -> Words:
    """Put it before a second colleague; what to say of that."""
    (ask,) = ASKS
    return ask(colleague, matter, about, wish, why)


def found_row(verb: Verb, about: str) -> Any:
    """The row that a verb is about.

    Raises:
        NotFound: there is none.
    """
    key = ids.parse(verb.model.prefix, about)
    row = verb.model._default_manager.filter(pk=key).first() if key else None
    if row is None:
        raise NotFound
    return row


def moment_of(row: Any, real: datetime) -> datetime:
    """When it is there where the row is, when it is `real` outside."""
    realm = getattr(row, "realm", None)
    now: datetime = realm.now(real) if realm else real
    return now


def sent_form(form: VerbForm) -> Plain:
    """A form's fields as they were sent, but for the reason."""
    data = form.data
    names = [name for name in form.fields if name != "note"]
    return {name: data.getlist(name) if isinstance(data, QueryDict) else [str(data.get(name, ""))] for name in names}


def bound(verb: Verb, row: Any, wish: Plain, why: str) -> VerbForm:
    """The form as it was sent then, judged by what is true now."""
    data = QueryDict(mutable=True)
    for name, values in wish.items():
        data.setlist(name, list(values))
    data["note"] = why
    return verb.form(data, row=row)


def takes_two(verb: Verb) -> bool:
    """Whether it ever does."""
    return verb.second is not None


def matter_of(verb: Verb) -> Matter:
    """A verb that takes two."""
    return Matter(
        name=verb.name,
        label=verb.label,
        askers=verb.groups,
        deciders=verb.deciders,
        stands=partial(_stands, verb),
        wanted=partial(_wanted, verb),
        says=partial(_says, verb),
        run=partial(_run, verb),
        address=partial(_address, verb),
        names={name: field.label or name for name, field in verb.form.base_fields.items()},
        verb=verb,
    )


def _stands(verb: Verb, about: str) -> Plain:
    """As the verb says itself, else the row's state and how often it has moved."""
    row = found_row(verb, about)
    if in_transaction():
        row = _held(verb, row)
    return verb.stands(row) if verb.stands else {"state": row.state, "version": row.version}


def _held(verb: Verb, row: Any) -> Any:
    """The row as it stays until the transaction ends, locked in the order in which the verb locks."""
    if verb.hold is not None:
        return verb.hold(row)
    return type(row).objects.locked(row.pk) if isinstance(row, Lifecycle) else row


def _wanted(verb: Verb, about: str, wish: Plain) -> Plain:
    """As the form was sent; a box that is not ticked says no, though nothing was sent of it."""
    fields = verb.form.base_fields
    said: Plain = {
        name: _ticked(values) if isinstance(fields.get(name), BooleanField) else ", ".join(values)
        for name, values in wish.items()
    }
    if verb.wants is None:
        return said
    try:
        return verb.wants(found_row(verb, about), said)
    except NotFound:  # it is gone, and so nothing stands any more
        return said


def _ticked(values: list[str]) -> bool:
    """As the box itself reads what was sent of it."""
    sent = {"box": values[-1]} if values else {}
    return bool(CheckboxInput().value_from_datadict(sent, MultiValueDict(), "box"))


def _says(verb: Verb, about: str, wish: Plain, at: datetime) -> Words:
    del wish
    row = found_row(verb, about)
    return verb.preview(row, moment_of(row, at))


def _run(verb: Verb, about: str, wish: Plain, why: str, by: Actor, at: datetime) -> "Words | Done":  # noqa: PLR0917
    row = found_row(verb, about)
    form = bound(verb, row, wish, why)
    if not verb.fits(row):
        raise Busy
    if not form.is_valid():
        raise Invalid
    key: UUID = row.pk
    return verb.run(key, form.cleaned_data, by, moment_of(row, at))


def _address(verb: Verb, about: str) -> str:
    return back_of(verb, found_row(verb, about))


def back_of(verb: Verb, row: Any) -> str:
    """The page of what a verb is done to."""
    if verb.back is not None:
        return verb.back(row)
    return page_of(row)
