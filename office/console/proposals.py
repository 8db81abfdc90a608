"""/ops/second/: proposals pending dual approval, one proposal with its effect, and the decision."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from kernel import ids
from kernel.action_page import audited_note
from kernel.actor import Actor
from kernel.actor_names import usernames_of
from kernel.admin_site import VIEWERS, is_in_groups
from kernel.console_actions import (
    NOTE_LENGTH_MAX,
    Colleague,
    MenuItem,
    StrOrPromise,
    add_errors,
    console_page,
)
from kernel.maker_checker import APPROVAL_TYPES, ApprovalType, JsonDict, find_row
from kernel.refusal import NotFound, Refusal
from ledger.models import Posting
from office.models import Proposal
from office.proposal_differences import differences
from office.queries import proposals as proposal_queries
from office.queries.proposals import SHOWN_MAX
from office.services import proposals
from office.services.previews import dry_run, postings_digest, preview_postings

MENU_ITEM = MenuItem(
    "proposals", gettext_lazy("Pending approval"), gettext_lazy("Actions that need two people"), VIEWERS
)
SOON = timedelta(hours=12)


class DecisionForm(forms.Form):
    """The reason for a decision."""

    because = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=NOTE_LENGTH_MAX,
        help_text=gettext_lazy("The requester will see it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


def submit_proposal(colleague: Colleague, matter: str, about: str, data: JsonDict, why: str) -> StrOrPromise:
    """Submit an action for approval by a second colleague."""
    proposal = proposals.propose(matter, about, data, why, by=colleague.actor, at=colleague.at)
    action = APPROVAL_TYPES[matter].row_action
    audited, details = audited_note(why, is_erasable=action is not None and action.form.is_note_erasable)
    colleague.audit("proposed", proposal.public_id, audited, **details, matter=matter, of=about)
    return _("Submitted for approval. It is executed once a second colleague approves; you will see the result here.")


@require_safe
@console_page(*VIEWERS)
def proposal_list(colleague: Colleague) -> HttpResponse:
    """Open proposals and the last decided ones; the colleague's own decided proposals are then marked as seen."""
    rows = list(proposal_queries.open_proposals()[: SHOWN_MAX + 1])
    unseen = {row.pk for row in proposal_queries.unseen_decisions(colleague.actor)[:SHOWN_MAX]}
    decided = list(proposal_queries.decided_proposals()[:20])
    response = colleague.render(
        "office/proposals.html",
        MENU_ITEM.label,
        rows=[(row, _label(row), _can_decide(colleague, row)) for row in rows[:SHOWN_MAX]],
        more=len(rows) > SHOWN_MAX,
        decided=[(row, _label(row), row.pk in unseen) for row in decided],
        names=usernames_of({row.asked_by for row in (*rows, *decided)} | {row.decided_by for row in decided}),
        soon=colleague.at + SOON,
        me=str(colleague.actor),
    )
    if unseen:
        proposals.mark_decisions_seen(by=colleague.actor, at=colleague.at)
    return response


@require_safe
@console_page(*VIEWERS)
def proposal_page(colleague: Colleague, proposal: str) -> HttpResponse:
    """One proposal: its subject, the requested change and what approving would do now."""
    return _render_proposal(colleague, _find_proposal(proposal), DecisionForm())


@require_POST
@console_page(*VIEWERS)
def decide(colleague: Colleague, proposal: str) -> HttpResponse:
    """Approve, refuse or withdraw a proposal."""
    row, form, decision = _find_proposal(proposal), DecisionForm(colleague.form_data), colleague.posted("deed")
    if decision != "withdraw" and row.matter in APPROVAL_TYPES:
        colleague.require_groups(APPROVAL_TYPES[row.matter].approvers)
    if decision not in RESULT_MESSAGES:
        raise Http404
    if form.is_valid():
        because = form.cleaned_data["because"]
        try:
            if colleague.claim_submission():
                decided = _execute_decision(colleague, row, decision, because)
                message = decided.result_once or decided.outcome or RESULT_MESSAGES[decision]
                colleague.add_message(message, is_done=decided.is_done)
                if decided.secret_once:
                    colleague.add_message(decided.secret_once)
        except Refusal as refusal:
            colleague.audit(f"proposal.{decision}.refused", row.public_id, code=refusal.code)
            add_errors(form, refusal)
        else:
            return redirect("proposal", row.public_id)
    return _render_proposal(colleague, _find_proposal(proposal), form)


def _execute_decision(colleague: Colleague, row: Proposal, decision: str, because: str) -> Proposal:
    """Decide in one transaction; external services are called after it, when the form cannot be submitted again."""
    commands = {"refuse": proposals.refuse, "withdraw": proposals.withdraw}
    by, at, follow_up = colleague.actor, colleague.at, None
    with colleague.allow_resubmission():
        colleague.audit(f"proposal.{decision}", row.public_id, because, matter=row.matter, of=row.about)
        if decision == "approve":
            decided, follow_up = proposals.begin_approval(
                row.pk, because, seen_digest=colleague.posted("seen"), by=by, at=at
            )
        else:
            decided = commands[decision](row.pk, because, by=by, at=at)
    return proposals.complete_approval(decided, follow_up)


RESULT_MESSAGES: dict[str, StrOrPromise] = {
    "approve": gettext_lazy("Executed."),
    "refuse": gettext_lazy("Rejected. The requester will see the reason."),
    "withdraw": gettext_lazy("Withdrawn by you."),
}


def _find_proposal(proposal: str) -> Proposal:
    key = ids.parse(Proposal.prefix, proposal)
    row = Proposal.objects.filter(pk=key).first() if key else None
    if row is None or row.matter not in APPROVAL_TYPES:
        raise Http404
    return row


def _render_proposal(colleague: Colleague, row: Proposal, form: DecisionForm) -> HttpResponse:
    approval_type, is_open = APPROVAL_TYPES[row.matter], row.state == Proposal.State.OPEN
    context: dict[str, Any] = {}
    if is_open:
        context = _approval_context(colleague, row, approval_type)
    return colleague.render(
        "office/proposal.html",
        approval_type.label,
        status=422 if form.errors else 200,
        row=row,
        back=_subject_url(approval_type, row),
        differences=differences(approval_type, row),
        names=usernames_of({row.asked_by, row.decided_by}),
        form=form,
        is_mine=row.asked_by == str(colleague.actor),
        can_decide=is_open and colleague.is_in_groups(approval_type.approvers),
        **context,
    )


def _approval_context(colleague: Colleague, row: Proposal, approval_type: ApprovalType) -> dict[str, Any]:
    """What approving would do now, and what prevents it."""
    context: dict[str, Any] = {"blocker": proposals.approval_blocker(row, by=colleague.actor, at=colleague.at)}
    try:
        context["preview"] = approval_type.preview(row.about, row.wish, colleague.at)
        context["moves"] = _preview_postings(colleague, row, approval_type)
        context["postings_digest"] = postings_digest(context["moves"])
    except Refusal as refusal:
        context["refused"] = refusal.detail
    return context


def _preview_postings(colleague: Colleague, row: Proposal, approval_type: ApprovalType) -> Sequence[Posting]:
    """The postings that approving would make.

    Raises:
        Refusal: the action would fail now.
    """
    by = Actor.parse(row.asked_by).approved_by(colleague.actor)
    run = partial(approval_type.run, row.about, row.wish, row.why, by, colleague.at)
    action = approval_type.row_action
    if action is None or action.posting_filter is None:
        dry_run(run)
        return []
    return preview_postings(run, action.posting_filter(find_row(action, row.about)))


def _subject_url(approval_type: ApprovalType, row: Proposal) -> str:
    try:
        return approval_type.url(row.about)
    except NotFound:
        return ""


def _label(row: Proposal) -> StrOrPromise:
    return APPROVAL_TYPES[row.matter].label if row.matter in APPROVAL_TYPES else row.matter


def _can_decide(colleague: Colleague, row: Proposal) -> bool:
    """Whether this colleague may decide the proposal: nobody decides their own, or one about themselves."""
    approvers = APPROVAL_TYPES[row.matter].approvers if row.matter in APPROVAL_TYPES else ()
    is_own = row.asked_by == str(colleague.actor) or row.about == colleague.actor.name
    return not is_own and is_in_groups(colleague.user, approvers)
