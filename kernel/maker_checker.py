"""Dual approval (maker-checker): one colleague requests an action, another approves it, then exactly that is done.

A request is plain JSON, stored with a snapshot of its subject. The project's URL module registers the types.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.forms import BooleanField, CheckboxInput, ChoiceField, DateTimeField, Field, MultipleChoiceField
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from kernel import ids
from kernel.actor import Actor
from kernel.console_actions import ActionResult, Colleague, ReasonForm, RowAction, StrOrPromise
from kernel.console_lists import detail_url
from kernel.lifecycle import Lifecycle
from kernel.refusal import Busy, Invalid, NotFound
from kernel.templatetags.formatting import plain_datetime
from kernel.transactions import in_transaction

JsonDict = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalType:
    """One type of request that needs a second colleague. `about` is the public id or the name of its subject."""

    name: str
    label: StrOrPromise
    #: The groups that may request it, and those that may approve it.
    requesters: tuple[str, ...]
    approvers: tuple[str, ...]
    #: The subject's current values; locks it if a transaction is open. Raises NotFound if it no longer exists.
    snapshot: Callable[[str], JsonDict]
    #: The requested values; the ones that change a snapshot value have the same key.
    requested: Callable[[str, JsonDict], JsonDict]
    #: Describes what would happen now. May raise Refusal.
    preview: Callable[[str, JsonDict, datetime], StrOrPromise]
    run: Callable[[str, JsonDict, str, Actor, datetime], "StrOrPromise | ActionResult"]
    #: The page that shows the subject.
    url: Callable[[str], str]
    #: Labels of the keys of snapshot and request.
    field_labels: Mapping[str, StrOrPromise]
    #: The row action behind it, if there is one.
    row_action: RowAction | None = None
    #: Labels of the codes in snapshot and request, by key.
    choices: Mapping[str, Mapping[str, StrOrPromise]] = field(default_factory=dict)


RequestApproval = Callable[[Colleague, str, str, JsonDict, str], StrOrPromise]
#: All types by name, and the function that creates a request. Filled in by the project's URL module.
APPROVAL_TYPES: dict[str, ApprovalType] = {}
APPROVAL_REQUESTERS: list[RequestApproval] = []


def request_approval(colleague: Colleague, approval_type: str, about: str, data: JsonDict, reason: str) -> StrOrPromise:
    """Submit it for a second colleague's approval. Returns the message to show."""
    (requester,) = APPROVAL_REQUESTERS
    return requester(colleague, approval_type, about, data, reason)


def find_row(action: RowAction, about: str) -> Any:
    """The row that an action is about.

    Raises:
        NotFound: it does not exist.
    """
    key = ids.parse(action.model.prefix, about)
    row = action.model._default_manager.filter(pk=key).first() if key else None
    if row is None:
        raise NotFound
    return row


def row_time(row: Any, real: datetime) -> datetime:
    """The time in the row's realm when the real time is `real`."""
    realm = getattr(row, "realm", None)
    now: datetime = realm.now(real) if realm else real
    return now


def submitted_fields(form: ReasonForm) -> JsonDict:
    """A form's fields as submitted, without the reason."""
    data = form.data
    names = [name for name in form.fields if name != "note"]
    return {name: data.getlist(name) if isinstance(data, QueryDict) else [str(data.get(name, ""))] for name in names}


def bind_form(action: RowAction, row: Any, data: JsonDict, reason: str) -> ReasonForm:
    """The form as it was submitted, bound to the row as it is now."""
    posted = QueryDict(mutable=True)
    for name, values in data.items():
        posted.setlist(name, list(values))
    posted["note"] = reason
    return action.form(posted, row=row)


def can_need_approval(action: RowAction) -> bool:
    """Whether the action needs a second colleague in some cases."""
    return action.needs_approval is not None


def approval_type_of(action: RowAction) -> ApprovalType:
    """The approval type of a row action."""
    return ApprovalType(
        name=action.name,
        label=action.label,
        requesters=action.groups,
        approvers=action.approvers,
        snapshot=partial(_snapshot, action),
        requested=partial(_requested, action),
        preview=partial(_preview, action),
        run=partial(_run, action),
        url=partial(_url, action),
        field_labels={name: entry.label or name for name, entry in action.form.base_fields.items()},
        row_action=action,
    )


def _snapshot(action: RowAction, about: str) -> JsonDict:
    """The action's own snapshot of the row, else the row's state and version."""
    row = find_row(action, about)
    if in_transaction():
        row = _lock_row(action, row)
    return action.snapshot(row) if action.snapshot else {"state": row.state, "version": row.version}


def _lock_row(action: RowAction, row: Any) -> Any:
    """Lock the row until the transaction ends, in the order in which the action takes its locks."""
    if action.lock is not None:
        return action.lock(row)
    return type(row).objects.locked(row.pk) if isinstance(row, Lifecycle) else row


def _requested(action: RowAction, about: str, data: JsonDict) -> JsonDict:
    """The submitted values in words; an unchecked box, which browsers do not send, counts as False."""
    try:
        row = find_row(action, about)
        fields = bind_form(action, row, data, "").fields
    except NotFound:  # the row no longer exists, so there is nothing to compare with
        row, fields = None, action.form.base_fields
    hidden = {name for name, entry in fields.items() if entry.widget.is_hidden}
    requested: JsonDict = {
        name: _requested_value(fields.get(name), values) for name, values in data.items() if name not in hidden
    }
    return requested if action.requested is None or row is None else action.requested(row, requested)


def _requested_value(entry: Field | None, values: list[str]) -> StrOrPromise | bool:
    """The submitted values of one field: the label of a choice, the time as pages show it, otherwise the text."""
    if isinstance(entry, BooleanField):
        return _is_checked(values)
    text = ", ".join(values)
    if isinstance(entry, ChoiceField) and not isinstance(entry, MultipleChoiceField) and text:
        return str(choice_labels(entry).get(text, text))
    if isinstance(entry, DateTimeField) and text:
        with suppress(ValidationError):
            return plain_datetime(entry.clean(text))
    return text


def choice_labels(entry: Field) -> dict[str, StrOrPromise]:
    """The labels of a field's choices by code; empty for a field without choices."""
    choices = getattr(entry, "choices", ())
    return {str(code): label for code, label in choices if isinstance(label, StrOrPromise)}


def _is_checked(values: list[str]) -> bool:
    """Whether the checkbox widget reads the submitted values as checked."""
    submitted = {"box": values[-1]} if values else {}
    return bool(CheckboxInput().value_from_datadict(submitted, MultiValueDict(), "box"))


def _preview(action: RowAction, about: str, data: JsonDict, at: datetime) -> StrOrPromise:
    del data
    row = find_row(action, about)
    return action.preview(row, row_time(row, at))


def _run(  # noqa: PLR0917
    action: RowAction, about: str, data: JsonDict, reason: str, by: Actor, at: datetime
) -> "StrOrPromise | ActionResult":
    row = find_row(action, about)
    form = bind_form(action, row, data, reason)
    if not action.applies_to(row):
        raise Busy
    if not form.is_valid():
        raise Invalid
    key: UUID = row.pk
    return action.run(key, form.cleaned_data, by, row_time(row, at))


def _url(action: RowAction, about: str) -> str:
    return back_url_of(action, find_row(action, about))


def back_url_of(action: RowAction, row: Any) -> str:
    """The page to return to after an action on the row."""
    if action.back_url is not None:
        return action.back_url(row)
    return detail_url(row)
