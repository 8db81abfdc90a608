"""/ops/queues/: what waits for colleagues, by kind; and one queue's things, handed over many at once."""

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
from kernel.console_actions import Colleague, Desk, Words, page, show_errors
from kernel.refusal import Invalid, Refusal
from office.queries import queues
from office.queries.queues import LATE, MINE, NOBODYS, Look
from office.queues import QUEUES, Queue
from office.services import handling
from office.worlds import MODES, mode_of

#: Whoever decides anything that waits.
WORKERS = tuple(sorted({group for queue in QUEUES.values() for group in queue.groups}))
DESK = Desk("queues", gettext_lazy("Work queues"), gettext_lazy("Open items, assignees and deadlines"), WORKERS)
WHOSE: dict[str, Words] = {
    "": gettext_lazy("Everything"),
    MINE: gettext_lazy("Mine"),
    NOBODYS: gettext_lazy("No assignee"),
    LATE: gettext_lazy("Past due"),
}


class HandForm(forms.Form):
    """To whom, and what they should know."""

    to = forms.ChoiceField(label=gettext_lazy("Colleague"))
    note = forms.CharField(
        label=gettext_lazy("Handover note"),
        max_length=handling.NOTE_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, queue: Queue, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "hand_%s"} | kwargs)
        self.found = {user.public_id: user for user in queues.colleagues_of(queue)}
        self.fields["to"].choices = [("", "–"), *((key, str(user)) for key, user in self.found.items())]  # type: ignore[attr-defined]

    @property
    def user(self) -> User:
        return self.found[self.cleaned_data["to"]]


@require_safe
@page(*WORKERS)
def overview(colleague: Colleague) -> HttpResponse:
    """Every queue of this colleague's: how much, since when, and whose it is."""
    look = _look(colleague)
    mine = [queue for queue in QUEUES.values() if colleague.may(queue.groups)]
    return colleague.show(
        "office/queues.html",
        DESK.label,
        rows=[queues.standing(queue, look) for queue in mine],
        mode=look.mode,
        modes=MODES,
        now=colleague.at,
    )


@require_safe
@page(*WORKERS)
def one_queue(colleague: Colleague, queue: str) -> HttpResponse:
    """What waits in one of them, the oldest first."""
    return _listed(colleague, queue_called(colleague, queue), None)


@require_POST
@page(*WORKERS)
def assign(colleague: Colleague, queue: str) -> HttpResponse:
    """All that is ticked becomes one colleague's; who was quicker at which of them is said."""
    found = queue_called(colleague, queue)
    form = HandForm(colleague.given, queue=found)
    if form.is_valid():
        try:
            seen = _ticked(colleague, found)
            if colleague.sends_first():
                with colleague.sends_again():
                    _hand_all(colleague, found, seen, form)
        except Refusal as refusal:
            show_errors(form, refusal)
        else:
            return redirect(f"{reverse('queue', args=[found.name])}?{urlencode(_params(_look(colleague)))}")
    return _listed(colleague, found, form)


def _hand_all(colleague: Colleague, queue: Queue, seen: list[tuple[UUID, UUID | None]], form: HandForm) -> None:
    note, to = form.cleaned_data["note"], form.user
    abouts = [ids.public(queue.model.prefix, key) for key, _holder in seen]
    colleague.audit("queue.hand_all", queue.name, note, to=to.public_id, abouts=abouts)
    given, lost = handling.hand_all(queue, seen, to, note, by=colleague.actor, at=colleague.at)
    said = ngettext("%(n)d item assigned to %(name)s.", "%(n)d item assigned to %(name)s.", given) % {
        "n": given,
        "name": to,
    }
    quicker = [f"{ids.public(queue.model.prefix, key)}: {refusal.detail}" for key, refusal in lost]
    colleague.audit("queue.hand_all.done", queue.name, given=given, lost=quicker)
    colleague.tell(" ".join([said, *quicker]))


def _listed(colleague: Colleague, queue: Queue, form: HandForm | None) -> HttpResponse:
    look = _look(colleague)
    try:
        rows, more = queues.page_of(queue, look, colleague.request.GET.get("cursor", ""))
    except Invalid:
        raise Http404 from None
    params = _params(look)
    return colleague.show(
        "office/queue.html",
        queue.label,
        status=422 if form and form.errors else 200,
        queue=queue,
        standing=queues.standing(queue, look),
        rows=[(one, queue.what(one.row), queue.address(one.row)) for one in rows],
        form=form or HandForm(queue=queue),
        whose=[(name, label, urlencode(params | {"whose": name})) for name, label in WHOSE.items()],
        kinds=[
            (kind, queue.called(kind), urlencode(params | {"kind": kind}))
            for kind in ("", *queues.kinds_of(queue, look))
        ],
        modes=[(name, label, urlencode({"mode": name})) for name, label in MODES],
        look=look,
        query=urlencode(params),
        more=urlencode(params | {"cursor": more}) if more else "",
        me=colleague.user.pk,
    )


def queue_called(colleague: Colleague, name: str) -> Queue:
    queue = QUEUES.get(name)
    if queue is None:
        raise Http404
    if not colleague.may(queue.groups):
        raise PermissionDenied
    return queue


def _look(colleague: Colleague) -> Look:
    given = colleague.request.GET
    mode = mode_of(given)
    whose, kind = given.get("whose", ""), given.get("kind", "")[:60]
    return Look(user_of(colleague), colleague.at, mode, whose if whose in WHOSE else "", "" if "\x00" in kind else kind)


def _params(look: Look) -> dict[str, str]:
    return {"mode": look.mode, "whose": look.whose, "kind": look.kind}


def _ticked(colleague: Colleague, queue: Queue) -> list[tuple[UUID, UUID | None]]:
    """What was ticked, and who had each when it was.

    Raises:
        Invalid: nothing was, or no list of ours sent this.
    """
    found = []
    for text in colleague.request.POST.getlist("row"):
        about, _colon, holder = text.partition(":")
        key = ids.parse(queue.model.prefix, about)
        if key is None:
            raise Invalid
        found.append((key, holder_named(holder)))
    if not found:
        raise Invalid(_("Select the items to reassign."))
    return found


def holder_named(text: str) -> UUID | None:
    """Who had it when the page was shown; nobody where that is empty.

    Raises:
        Invalid: no page of ours sent this.
    """
    key = ids.parse(User.prefix, text) if text else None
    if text and key is None:
        raise Invalid
    return key


def user_of(colleague: Colleague) -> User:
    return User.objects.get(pk=colleague.user.pk)
