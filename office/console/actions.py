"""/ops/do/<row>/<action>: one action on one row, with a preview of its postings; may be submitted for approval."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _

from kernel.action_page import render_action
from kernel.admin_site import VIEWERS
from kernel.clock import now_in
from kernel.console_actions import (
    ROW_ACTIONS,
    ActionResult,
    Colleague,
    ReasonForm,
    RowAction,
    StrOrPromise,
    console_page,
)
from kernel.maker_checker import APPROVAL_TYPES, back_url_of, find_row, request_approval, submitted_fields
from kernel.refusal import ApprovalRequired, NotFound
from ledger.models import Posting
from office.services.previews import dry_run, preview_postings


@console_page(*VIEWERS)
def action_page(colleague: Colleague, row: str, name: str) -> HttpResponse:
    """The action's form and preview; on POST the action itself."""
    action = next((act for act in ROW_ACTIONS if act.name == name and row.startswith(f"{act.model.prefix}_")), None)
    if action is None:
        raise Http404
    found = _find_row(action, row)
    colleague.require_groups(action.groups)
    realm = getattr(found, "realm", None)
    at = now_in(realm) if realm else colleague.at
    form = action.form(colleague.form_data, row=found)
    return render_action(
        colleague,
        action.label,
        about=row,
        back=back_url_of(action, found),
        form=form,
        preview=partial(_preview, action, found, at),
        run=partial(_execute, colleague, action, form, at),
        preview_moves=partial(_postings, colleague, action, found, at) if action.posting_filter else None,
    )


def _find_row(action: RowAction, row: str) -> Any:
    try:
        found = find_row(action, row)
    except NotFound:
        raise Http404 from None
    if not action.applies_to(found):
        raise Http404
    return found


def _preview(action: RowAction, found: Any, at: datetime) -> StrOrPromise:
    """What the action would do, and whether it needs approval."""
    message = action.preview(found, at)
    if action.needs_approval is not None and action.needs_approval(found, {}):
        more = _("Two people required: executed only after a second colleague approves.")
        return f"{message} {more}"
    return message


def _execute(
    colleague: Colleague, action: RowAction, form: ReasonForm, at: datetime, data: dict[str, Any]
) -> "StrOrPromise | ActionResult":
    """Execute the action, or submit it for approval if the action or its service asks for that.

    Raises:
        Refusal: it fails, or would fail now if it were approved.
    """
    found = form.row
    if action.needs_approval is None or not action.needs_approval(found, data):
        try:
            return action.run(found.pk, data, colleague.actor, at)
        except ApprovalRequired:
            if action.needs_approval is None:
                raise
    dry_run(partial(action.run, found.pk, data, colleague.actor.approved_by(colleague.actor), at))
    return request_approval(colleague, action.name, found.public_id, submitted_fields(form), data["note"])


def _postings(
    colleague: Colleague, action: RowAction, found: Any, at: datetime, data: dict[str, Any]
) -> Sequence[Posting]:
    """The postings the action would make, as if already approved where it needs approval."""
    by = colleague.actor.approved_by(colleague.actor) if action.name in APPROVAL_TYPES else colleague.actor
    posting_filter = action.posting_filter(found) if action.posting_filter else None
    return (
        preview_postings(partial(action.run, found.pk, data, by, at), posting_filter)
        if posting_filter is not None
        else []
    )
