"""/ops/queues/: the work queues with their counts, and one queue's items, which can be reassigned in bulk."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from kernel import ids
from kernel.action_page import audited_note
from kernel.console_actions import Colleague, MenuItem, StrOrPromise, add_errors, console_page
from kernel.refusal import Invalid, Refusal
from office.environments import MODES, selected_mode
from office.queries import queues
from office.queries.queues import MINE, PAST_DUE, UNASSIGNED, QueueFilter
from office.queues import QUEUES, Queue
from office.services import assignments

#: Every group that handles at least one queue.
QUEUE_GROUPS = tuple(sorted({group for queue in QUEUES.values() for group in queue.groups}))
MENU_ITEM = MenuItem(
    "queues", gettext_lazy("Work queues"), gettext_lazy("Open items, assignees and deadlines"), QUEUE_GROUPS
)
ASSIGNED_CHOICES: dict[str, StrOrPromise] = {
    "": gettext_lazy("Everything"),
    MINE: gettext_lazy("Mine"),
    UNASSIGNED: gettext_lazy("No assignee"),
    PAST_DUE: gettext_lazy("Past due"),
}


class AssignForm(forms.Form):
    """The new assignee and a handover note."""

    to = forms.ChoiceField(label=gettext_lazy("Colleague"))
    note = forms.CharField(
        label=gettext_lazy("Handover note"),
        max_length=assignments.NOTE_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, queue: Queue, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "hand_%s"} | kwargs)
        self.users = {user.public_id: user for user in queues.eligible_users(queue)}
        self.fields["to"].choices = [("", "–"), *((key, str(user)) for key, user in self.users.items())]  # type: ignore[attr-defined]

    @property
    def assignee(self) -> User:
        return self.users[self.cleaned_data["to"]]


@require_safe
@console_page(*QUEUE_GROUPS)
def overview(colleague: Colleague) -> HttpResponse:
    """The queues this colleague may see: open items, the oldest, and how many are mine, unassigned or past due."""
    filters = _filters(colleague)
    visible = [queue for queue in QUEUES.values() if colleague.is_in_groups(queue.groups)]
    return colleague.render(
        "office/queues.html",
        MENU_ITEM.label,
        rows=[queues.queue_stats_for(queue, filters) for queue in visible],
        mode=filters.mode,
        modes=MODES,
        now=colleague.at,
    )


@require_safe
@console_page(*QUEUE_GROUPS)
def queue_page(colleague: Colleague, queue: str) -> HttpResponse:
    """The open items of one queue, the oldest first."""
    return _render_queue(colleague, visible_queue(colleague, queue), None)


@require_POST
@console_page(*QUEUE_GROUPS)
def assign(colleague: Colleague, queue: str) -> HttpResponse:
    """Assign the selected items to one colleague; items somebody else took meanwhile are named in the message."""
    row_queue = visible_queue(colleague, queue)
    form = AssignForm(colleague.form_data, queue=row_queue)
    if form.is_valid():
        try:
            selected = _selected_items(colleague, row_queue)
            if colleague.claim_submission():
                with colleague.allow_resubmission():
                    _assign_selected(colleague, row_queue, selected, form)
        except Refusal as refusal:
            add_errors(form, refusal)
        else:
            return redirect(
                f"{reverse('queue', args=[row_queue.name])}?{urlencode(_query_params(_filters(colleague)))}"
            )
    return _render_queue(colleague, row_queue, form)


def _assign_selected(
    colleague: Colleague, queue: Queue, selected: list[tuple[UUID, UUID | None]], form: AssignForm
) -> None:
    note, to = form.cleaned_data["note"], form.assignee
    abouts = [ids.public(queue.model.prefix, key) for key, _holder in selected]
    why, details = audited_note(note, is_erasable=True)
    colleague.audit("queue.hand_all", queue.name, why, **details, to=to.public_id, abouts=abouts)
    count, conflicts = assignments.assign_many(queue, selected, to, note, by=colleague.actor, at=colleague.at)
    message = ngettext("%(n)d item assigned to %(name)s.", "%(n)d item assigned to %(name)s.", count) % {
        "n": count,
        "name": to,
    }
    conflict_messages = [f"{ids.public(queue.model.prefix, key)}: {refusal.detail}" for key, refusal in conflicts]
    colleague.audit("queue.hand_all.done", queue.name, given=count, lost=conflict_messages)
    colleague.add_message(" ".join([message, *conflict_messages]))


def _render_queue(colleague: Colleague, queue: Queue, form: AssignForm | None) -> HttpResponse:
    filters = _filters(colleague)
    try:
        rows, more = queues.list_page(queue, filters, colleague.request.GET.get("cursor", ""))
    except Invalid:
        raise Http404 from None
    query_params = _query_params(filters)
    return colleague.render(
        "office/queue.html",
        queue.label,
        status=422 if form and form.errors else 200,
        queue=queue,
        stats=queues.queue_stats_for(queue, filters),
        rows=[(item, queue.summary(item.row), queue.url(item.row)) for item in rows],
        form=form or AssignForm(queue=queue),
        assigned_choices=[
            (name, label, urlencode(query_params | {"whose": name})) for name, label in ASSIGNED_CHOICES.items()
        ],
        kinds=[
            (kind, queue.kind_label(kind), urlencode(query_params | {"kind": kind}))
            for kind in ("", *queues.kinds_of(queue, filters))
        ],
        modes=[(name, label, urlencode({"mode": name})) for name, label in MODES],
        filters=filters,
        query=urlencode(query_params),
        more=urlencode(query_params | {"cursor": more}) if more else "",
        me=colleague.user.pk,
    )


def visible_queue(colleague: Colleague, name: str) -> Queue:
    queue = QUEUES.get(name)
    if queue is None:
        raise Http404
    if not colleague.is_in_groups(queue.groups):
        raise PermissionDenied
    return queue


def _filters(colleague: Colleague) -> QueueFilter:
    query = colleague.request.GET
    mode = selected_mode(query)
    assigned, kind = query.get("whose", ""), query.get("kind", "")[:60]
    return QueueFilter(
        user_of(colleague),
        colleague.at,
        mode,
        assigned if assigned in ASSIGNED_CHOICES else "",
        "" if "\x00" in kind else kind,
    )


def _query_params(filters: QueueFilter) -> dict[str, str]:
    return {"mode": filters.mode, "whose": filters.assigned, "kind": filters.kind}


def _selected_items(colleague: Colleague, queue: Queue) -> list[tuple[UUID, UUID | None]]:
    """The selected rows' keys, each with its assignee as the page showed it.

    Raises:
        Invalid: nothing was selected, or the values are malformed.
    """
    found = []
    for text in colleague.request.POST.getlist("row"):
        about, _colon, holder = text.partition(":")
        key = ids.parse(queue.model.prefix, about)
        if key is None:
            raise Invalid
        found.append((key, parse_assignee(holder)))
    if not found:
        raise Invalid(_("Select the items to reassign."))
    return found


def parse_assignee(text: str) -> UUID | None:
    """The assignee the page showed, by public id; None for an unassigned item.

    Raises:
        Invalid: the value is malformed.
    """
    key = ids.parse(User.prefix, text) if text else None
    if text and key is None:
        raise Invalid
    return key


def user_of(colleague: Colleague) -> User:
    return User.objects.get(pk=colleague.user.pk)
