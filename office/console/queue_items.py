"""/ops/queues/<queue>/<id>: one queue item with its assignee, deadline and notes, and the forms that change them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel import ids
from kernel.action_page import audited_note
from kernel.actor_names import usernames_of
from kernel.console_actions import Colleague, StrOrPromise, add_errors, console_page
from kernel.refusal import Refusal
from office.console.queues import QUEUE_GROUPS, AssignForm, parse_assignee, user_of, visible_queue
from office.models import HandlingNote
from office.queries import queues
from office.queries.queues import QueueItem
from office.queues import Queue
from office.services import assignments

ACT_LABELS: dict[str, StrOrPromise] = {
    HandlingNote.Act.TAKEN: gettext_lazy("claimed"),
    HandlingNote.Act.HANDED: gettext_lazy("reassigned to"),
    HandlingNote.Act.PUT_BACK: gettext_lazy("returned to queue"),
    HandlingNote.Act.DUE: gettext_lazy("deadline changed to"),
    HandlingNote.Act.NOTE: gettext_lazy("note:"),
}
NOTES_SHOWN = 200


class DueForm(forms.Form):
    """A new deadline for the item."""

    due_at = forms.DateTimeField(
        label=gettext_lazy("Due by"),
        widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M"),
    )
    note = forms.CharField(label=gettext_lazy("Justification"), max_length=assignments.NOTE_MAX, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "due_%s"} | kwargs)


class NoteForm(forms.Form):
    """A free-text note on the item."""

    note = forms.CharField(
        label=gettext_lazy("Note text"), max_length=assignments.NOTE_MAX, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "note_%s"} | kwargs)


@console_page(*QUEUE_GROUPS)
def item(colleague: Colleague, queue: str, about: str) -> HttpResponse:
    """Show one item; on POST run the action named by the `deed` field."""
    item_queue = visible_queue(colleague, queue)
    key = ids.parse(item_queue.model.prefix, about)
    queue_item = queues.find_item(item_queue, key, colleague.at) if key else None
    if key is None or queue_item is None:
        raise Http404
    forms_by_action: dict[str, Any] = {"hand": AssignForm(queue=item_queue), "due": DueForm(), "note": NoteForm()}
    if colleague.is_post:
        action = colleague.posted("deed")
        handler = ACTION_HANDLERS.get(action)
        if handler is None:
            raise Http404
        form = _submitted_form(action, colleague, item_queue)
        if form.is_valid() and _execute(colleague, item_queue, key, form, handler):
            return redirect("queue_item", item_queue.name, about)
        forms_by_action[action if action in forms_by_action else "note"] = form
    return _render_item(colleague, item_queue, queue_item, forms_by_action)


def _render_item(colleague: Colleague, queue: Queue, item: QueueItem, forms_by_action: dict[str, Any]) -> HttpResponse:
    handling = queues.handling_of(queue, item.row.pk)
    notes = list(handling.notes.select_related("user").order_by("-id")[:NOTES_SHOWN]) if handling else []
    if not colleague.is_post:
        colleague.audit("viewed.queue_item", item.row.public_id, queue=queue.name)
    return colleague.render(
        "office/queue_item.html",
        queue.summary(item.row),
        status=422 if any(form.errors for form in forms_by_action.values()) else 200,
        queue=queue,
        item=item,
        person=queues.person_of(queue, item.row),
        url=queue.url(item.row),
        is_open=queues.is_open(queue, item.row.pk),
        is_mine=item.assignee is not None and item.assignee.pk == colleague.user.pk,
        notes=[(row, ACT_LABELS[row.act]) for row in notes],
        names=usernames_of({row.by for row in notes}),
        assign_form=forms_by_action["hand"],
        due_form=forms_by_action["due"],
        note_form=forms_by_action["note"],
    )


def _claim(colleague: Colleague, queue: Queue, about: UUID, form: Any) -> StrOrPromise:
    del form
    assignments.claim(queue, about, user_of(colleague), at=colleague.at)
    return _("Assigned to you.")


def _assign(colleague: Colleague, queue: Queue, about: UUID, form: AssignForm) -> StrOrPromise:
    seen_assignee, note = parse_assignee(colleague.posted("holder")), form.cleaned_data["note"]
    assignments.assign(
        queue, about, form.assignee, note, seen_assignee=seen_assignee, by=colleague.actor, at=colleague.at
    )
    return _("Assigned to %(name)s.") % {"name": form.assignee}


def _release(colleague: Colleague, queue: Queue, about: UUID, form: Any) -> StrOrPromise:
    del form
    assignments.release(queue, about, "", by=colleague.actor, at=colleague.at)
    return _("Returned to the queue.")


def _set_due(colleague: Colleague, queue: Queue, about: UUID, form: DueForm) -> StrOrPromise:
    data = form.cleaned_data
    assignments.set_due(queue, about, data["due_at"], data["note"], by=colleague.actor, at=colleague.at)
    return _("Saved to record.")


def _add_note(colleague: Colleague, queue: Queue, about: UUID, form: NoteForm) -> StrOrPromise:
    assignments.add_note(queue, about, form.cleaned_data["note"], by=colleague.actor, at=colleague.at)
    return _("Saved to record.")


#: Performs one action on an item and returns the message to show.
ActionHandler = Callable[[Colleague, Queue, UUID, Any], StrOrPromise]
ACTION_HANDLERS: dict[str, ActionHandler] = {
    "take": _claim,
    "hand": _assign,
    "put_back": _release,
    "due": _set_due,
    "note": _add_note,
}


def _submitted_form(action: str, colleague: Colleague, queue: Queue) -> forms.Form:
    if action == "hand":
        return AssignForm(colleague.form_data, queue=queue)
    form_classes: dict[str, type[forms.Form]] = {"due": DueForm, "note": NoteForm}
    return form_classes.get(action, forms.Form)(colleague.form_data)


def _execute(colleague: Colleague, queue: Queue, about: UUID, form: forms.Form, handler: ActionHandler) -> bool:
    """Run the action, with an audit line before and after. False if it was refused; the form then has the errors."""
    name, item_id = f"queue.{colleague.posted('deed')}", ids.public(queue.model.prefix, about)
    try:
        if colleague.claim_submission():
            why, fields = audited_note(form.cleaned_data.get("note", ""), is_erasable=True)
            fields |= {key: str(value) for key, value in form.cleaned_data.items() if key != "note"}
            with colleague.allow_resubmission():
                colleague.audit(name, item_id, why, queue=queue.name, **fields)
                message = handler(colleague, queue, about, form)
            colleague.audit(f"{name}.done", item_id, said=str(message))
            colleague.add_message(message)
    except Refusal as refusal:
        colleague.audit(f"{name}.refused", item_id, code=refusal.code)
        add_errors(form, refusal)
        return False
    return True
