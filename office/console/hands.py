"""/ops/queues/…/…: one thing that waits: who sees to it, until when, and what was noted on the way."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel import ids
from kernel.actor_names import names_of
from kernel.console_actions import Colleague, Words, page, show_errors
from kernel.refusal import Refusal
from office.console.queues import WORKERS, HandForm, holder_named, queue_called, user_of
from office.models import HandlingNote
from office.queries import queues
from office.queries.queues import Waiting
from office.queues import Queue
from office.services import handling

ACTS: dict[str, Words] = {
    HandlingNote.Act.TAKEN: gettext_lazy("claimed"),
    HandlingNote.Act.HANDED: gettext_lazy("reassigned to"),
    HandlingNote.Act.PUT_BACK: gettext_lazy("returned to queue"),
    HandlingNote.Act.DUE: gettext_lazy("deadline changed to"),
    HandlingNote.Act.NOTE: gettext_lazy("note:"),
}
NOTES_SHOWN = 200


class DueForm(forms.Form):
    """By when."""

    due_at = forms.DateTimeField(
        label=gettext_lazy("Due by"),
        widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M"),
    )
    note = forms.CharField(label=gettext_lazy("Justification"), max_length=handling.NOTE_MAX, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "due_%s"} | kwargs)


class NoteForm(forms.Form):
    """Something to know."""

    note = forms.CharField(
        label=gettext_lazy("Note text"), max_length=handling.NOTE_MAX, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "note_%s"} | kwargs)


@page(*WORKERS)
def item(colleague: Colleague, queue: str, about: str) -> HttpResponse:
    """One thing: since when it waits, who has it, what was noted; and the ways to change that."""
    found = queue_called(colleague, queue)
    key = ids.parse(found.model.prefix, about)
    waits = queues.one(found, key, colleague.at) if key else None
    if key is None or waits is None:
        raise Http404
    forms_of: dict[str, Any] = {"hand": HandForm(queue=found), "due": DueForm(), "note": NoteForm()}
    if colleague.posts:
        deed = colleague.sent("deed")
        act = DEEDS.get(deed)
        if act is None:
            raise Http404
        form = _sent_form(deed, colleague, found)
        if form.is_valid() and _done(colleague, found, key, form, act):
            return redirect("queue_item", found.name, about)
        forms_of[deed if deed in forms_of else "note"] = form
    return _item_shown(colleague, found, waits, forms_of)


def _item_shown(colleague: Colleague, queue: Queue, waits: Waiting, forms_of: dict[str, Any]) -> HttpResponse:
    hand = queues.handling_of(queue, waits.row.pk)
    notes = list(hand.notes.select_related("user").order_by("-id")[:NOTES_SHOWN]) if hand else []
    return colleague.show(
        "office/queue_item.html",
        queue.what(waits.row),
        status=422 if any(form.errors for form in forms_of.values()) else 200,
        queue=queue,
        one=waits,
        address=queue.address(waits.row),
        open=queues.waits(queue, waits.row.pk),
        me=waits.holder is not None and waits.holder.pk == colleague.user.pk,
        notes=[(row, ACTS[row.act]) for row in notes],
        names=names_of({row.by for row in notes}),
        **forms_of,
    )


def _take(colleague: Colleague, queue: Queue, about: UUID, form: Any) -> Words:
    del form
    handling.take(queue, about, user_of(colleague), at=colleague.at)
    return _("Assigned to you.")


def _hand(colleague: Colleague, queue: Queue, about: UUID, form: HandForm) -> Words:
    seen, note = holder_named(colleague.sent("holder")), form.cleaned_data["note"]
    handling.hand(queue, about, form.user, note, seen=seen, by=colleague.actor, at=colleague.at)
    return _("Assigned to %(name)s.") % {"name": form.user}


def _put_back(colleague: Colleague, queue: Queue, about: UUID, form: Any) -> Words:
    del form
    handling.put_back(queue, about, "", by=colleague.actor, at=colleague.at)
    return _("Returned to the queue.")


def _set_due(colleague: Colleague, queue: Queue, about: UUID, form: DueForm) -> Words:
    wish = form.cleaned_data
    handling.set_due(queue, about, wish["due_at"], wish["note"], by=colleague.actor, at=colleague.at)
    return _("Saved to record.")


def _note(colleague: Colleague, queue: Queue, about: UUID, form: NoteForm) -> Words:
    handling.note(queue, about, form.cleaned_data["note"], by=colleague.actor, at=colleague.at)
    return _("Saved to record.")


Act = Callable[[Colleague, Queue, UUID, Any], Words]
DEEDS: dict[str, Act] = {"take": _take, "hand": _hand, "put_back": _put_back, "due": _set_due, "note": _note}


def _sent_form(deed: str, colleague: Colleague, queue: Queue) -> forms.Form:
    if deed == "hand":
        return HandForm(colleague.given, queue=queue)
    known: dict[str, type[forms.Form]] = {"due": DueForm, "note": NoteForm}
    return known.get(deed, forms.Form)(colleague.given)


def _done(colleague: Colleague, queue: Queue, about: UUID, form: forms.Form, act: Act) -> bool:
    """Do it, written down before and after; whether it was done, or is what another click did."""
    name, of = f"queue.{colleague.sent('deed')}", ids.public(queue.model.prefix, about)
    try:
        if colleague.sends_first():
            wish = {key: str(value) for key, value in form.cleaned_data.items() if key != "note"}
            with colleague.sends_again():
                colleague.audit(name, of, form.cleaned_data.get("note", ""), queue=queue.name, **wish)
                said = act(colleague, queue, about, form)
            colleague.audit(f"{name}.done", of, said=str(said))
            colleague.tell(said)
    except Refusal as refusal:
        colleague.audit(f"{name}.refused", of, code=refusal.code)
        show_errors(form, refusal)
        return False
    return True
