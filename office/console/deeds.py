"""/ops/do/…: one verb on one row. What it would write into the book is shown before; what takes two is asked for."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _

from kernel.admin_site import VIEWERS
from kernel.clock import now_in
from kernel.console_actions import VERBS, Colleague, Done, Verb, VerbForm, Words, deed, page
from kernel.maker_checker import MATTERS, ask_second, back_of, found_row, sent_form
from kernel.refusal import NotFound, SecondNeeded
from ledger.models import Posting
from office.services.foresight import postings_of


@page(*VIEWERS)
def verb(colleague: Colleague, row: str, name: str) -> HttpResponse:
    """The form, what would happen, and the deed."""
    act = next((act for act in VERBS if act.name == name and row.startswith(f"{act.model.prefix}_")), None)
    if act is None:
        raise Http404
    found = _found(act, row)
    colleague.demand(act.groups)
    realm = getattr(found, "realm", None)
    at = now_in(realm) if realm else colleague.at
    form = act.form(colleague.given, row=found)
    return deed(
        colleague,
        act.label,
        about=row,
        back=back_of(act, found),
        form=form,
        preview=partial(_before, act, found, at),
        run=partial(_do, colleague, act, form, at),
        moves=partial(_moves, colleague, act, found, at) if act.books else None,
    )


def _found(act: Verb, row: str) -> Any:
    try:
        found = found_row(act, row)
    except NotFound:
        raise Http404 from None
    if not act.fits(found):
        raise Http404
    return found


def _before(act: Verb, found: Any, at: datetime) -> Words:
    """What would happen, and whether it takes two."""
    says = act.preview(found, at)
    if act.second is not None and act.second(found, {}):
        more = _("Two people required: executed only after a second colleague approves.")
        return f"{says} {more}"
    return says


def _do(colleague: Colleague, act: Verb, form: VerbForm, at: datetime, wish: dict[str, Any]) -> "Words | Done":
    """It is done, or a second colleague is asked: where the verb says so, or its service when it comes to it."""
    found = form.row
    if act.second is None or not act.second(found, wish):
        try:
            return act.run(found.pk, wish, colleague.actor, at)
        except SecondNeeded:
            if act.second is None:
                raise
    return ask_second(colleague, act.name, found.public_id, sent_form(form), wish["note"])


def _moves(colleague: Colleague, act: Verb, found: Any, at: datetime, wish: dict[str, Any]) -> Sequence[Posting]:
    """What it would write into the book, as if a second colleague had agreed already where it takes two."""
    by = colleague.actor.agreed(colleague.actor) if act.name in MATTERS else colleague.actor
    books = act.books(found) if act.books else None
    return postings_of(partial(act.run, found.pk, wish, by, at), books) if books is not None else []
