"""Dual approval: one colleague proposes, another decides. Approving executes the action in the same transaction."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.colleagues import has_left_since
from accounts.models import User
from kernel import ids
from kernel.actor import Actor
from kernel.admin_site import is_in_groups
from kernel.console_actions import ActionResult, StrOrPromise
from kernel.ids import uuid7
from kernel.maker_checker import APPROVAL_TYPES, ApprovalType, JsonDict, find_row
from kernel.models import to_plain_json
from kernel.refusal import FieldError, Invalid, Refusal
from ledger.models import Posting
from office.models import Proposal
from office.refusals import (
    NotProposer,
    ProposalDecided,
    ProposalExpired,
    ProposalPending,
    ProposalPostingsChanged,
    ProposalSelfApproval,
    ProposalStale,
    ProposerNotAuthorized,
)
from office.services.previews import postings_digest

OPEN_FOR = timedelta(days=3)
EXPIRER = Actor.system("expire")
WHY_MAX, OUTCOME_MAX, BATCH = 200, 500, 100


def propose(matter: str, about: str, requested: JsonDict, why: str, *, by: Actor, at: datetime) -> Proposal:
    """Submit an action for approval, with a snapshot of its subject. Nothing is executed yet.

    Raises:
        Invalid: the reason is empty or too long.
        NotFound: the subject does not exist.
        ProposalPending: the same action on the same subject is pending already.
    """
    if not 0 < len(why.strip()) <= WHY_MAX:
        raise Invalid(errors=[FieldError("/note", format_lazy(_("1 to {most} characters."), most=WHY_MAX))])
    row = Proposal(
        matter=matter,
        about=about,
        before=APPROVAL_TYPES[matter].snapshot(about),
        wish=requested,
        why=why.strip(),
        asked_by=str(by),
        asked_at=at,
        expires_at=at + OPEN_FOR,
    )
    try:
        with transaction.atomic():
            row.record("asked", by=by, at=at)
    except IntegrityError as clash:
        if "one_proposal_at_a_time" not in str(clash):
            raise
        raise ProposalPending from None
    return row


def approve(proposal_id: UUID, because: str, *, seen_digest: str | None = None, by: Actor, at: datetime) -> Proposal:
    """Approve a proposal as a second colleague and execute exactly what was proposed.

    `seen_digest` is the digest of the postings the approver was shown (office.services.previews); others are refused.

    Raises:
        NotFound: there is no such proposal.
        ProposalDecided, ProposalExpired: it is no longer open.
        ProposalSelfApproval: they proposed it themselves, or it is about them.
        ProposerNotAuthorized: the proposer lost the role for it, or has been deactivated since.
        ProposalStale: the subject has changed since.
        ProposalPostingsChanged: it would make other postings than they saw; it stays open.
        Refusal: the action fails now; the proposal stays open.
    """
    return complete_approval(*begin_approval(proposal_id, because, seen_digest=seen_digest, by=by, at=at))


def complete_approval(row: Proposal, follow_up: Callable[[], object] | None) -> Proposal:
    """What is called after the transaction that approved the proposal. The row then has the result to show."""
    result = follow_up() if follow_up is not None else None
    if isinstance(result, ActionResult):  # the stored outcome is what was known before
        row.result_once, row.is_done = str(result.message), result.is_done
    return row


@transaction.atomic
def begin_approval(
    proposal_id: UUID, because: str, *, seen_digest: str | None = None, by: Actor, at: datetime
) -> tuple[Proposal, Callable[[], object] | None]:
    """The part of `approve` in one transaction. Returns the proposal, and what is to be called after it, if anything.

    Raises:
        Refusal: see approve.
    """
    row = _lock_decidable(proposal_id, by=by, at=at)
    approval_type = APPROVAL_TYPES[row.matter]
    _check_current(row, approval_type)
    posting_filter, first_key = _posting_filter(approval_type, row.about), uuid7()
    result = approval_type.run(row.about, row.wish, row.why, Actor.parse(row.asked_by).approved_by(by), at)
    if seen_digest is not None and posting_filter is not None:
        postings = Posting.objects.filter(posting_filter, pk__gt=first_key)
        if postings_digest(list(postings)) != seen_digest:
            raise ProposalPostingsChanged
    message, then = (result.message, result.follow_up) if isinstance(result, ActionResult) else (result, None)
    row.approve(by=str(by), at=at, because=because, outcome=_truncate_outcome(message))
    row.record("approved", by=by, at=at, because=because)
    row.secret_once = str(result.secret) if isinstance(result, ActionResult) else ""
    return row, then


def _posting_filter(approval_type: ApprovalType, about: str) -> Q | None:
    """The filter for the postings the action will make; None if they cannot be previewed."""
    action = approval_type.row_action
    return (
        action.posting_filter(find_row(action, about))
        if action is not None and action.posting_filter is not None
        else None
    )


@transaction.atomic
def refuse(proposal_id: UUID, because: str, *, by: Actor, at: datetime) -> Proposal:
    """Reject a proposal as a second colleague.

    Raises:
        NotFound, ProposalDecided, ProposalExpired, ProposalSelfApproval: see approve.
    """
    row = _lock_decidable(proposal_id, by=by, at=at)
    row.refuse(by=str(by), at=at, because=because)
    row.record("refused", by=by, at=at, because=because)
    return row


@transaction.atomic
def withdraw(proposal_id: UUID, because: str, *, by: Actor, at: datetime) -> Proposal:
    """Withdraw one's own proposal.

    Raises:
        NotFound, ProposalDecided: see approve.
        NotProposer: somebody else proposed it.
    """
    row = Proposal.objects.locked(proposal_id)
    if row.state != Proposal.State.OPEN:
        raise ProposalDecided
    if row.asked_by != str(by):
        raise NotProposer
    row.withdraw(at=at, because=because)
    row.seen_at = at
    row.record("withdrawn", by=by, at=at, because=because)
    return row


@transaction.atomic
def expire_due(*, at: datetime) -> int:
    """Expire proposals that nobody decided in time. Returns how many."""
    due = Proposal.objects.filter(state=Proposal.State.OPEN, expires_at__lte=at).order_by("pk")
    rows = list(due.select_for_update(skip_locked=True, no_key=True)[:BATCH])
    for row in rows:
        row.expire(by=str(EXPIRER), at=at)
        row.record("expired", by=EXPIRER, at=at)
    return len(rows)


def mark_decisions_seen(*, by: Actor, at: datetime) -> None:
    """Mark this colleague's decided proposals as seen by them."""
    mine = Proposal.objects.filter(asked_by=str(by), seen_at__isnull=True).exclude(state=Proposal.State.OPEN)
    mine.update(seen_at=at)


def approval_blocker(row: Proposal, *, by: Actor, at: datetime) -> Refusal | None:
    """The refusal this colleague would get on approving now; None if they can approve."""
    try:
        _check_decidable(row, by=by, at=at)
        _check_current(row, APPROVAL_TYPES[row.matter])
    except Refusal as refusal:
        return refusal
    return None


def _lock_decidable(proposal_id: UUID, *, by: Actor, at: datetime) -> Proposal:
    """The proposal, locked, if this colleague may decide it."""
    row = Proposal.objects.locked(proposal_id)
    _check_decidable(row, by=by, at=at)
    return row


def _check_decidable(row: Proposal, *, by: Actor, at: datetime) -> None:
    if row.state != Proposal.State.OPEN:
        raise ProposalDecided
    if at >= row.expires_at:
        raise ProposalExpired
    if row.asked_by == str(by) or row.about == by.name:
        raise ProposalSelfApproval


def _check_current(row: Proposal, approval_type: ApprovalType) -> None:
    """Check that the proposer still has the permission and that the subject is unchanged."""
    asked_by = ids.parse("usr", Actor.parse(row.asked_by).name)
    requester = User.objects.filter(pk=asked_by).first() if asked_by else None
    if (
        requester is None
        or not is_in_groups(requester, approval_type.requesters)
        or has_left_since(requester.pk, row.asked_at)
    ):
        raise ProposerNotAuthorized
    if row.before != _as_stored(approval_type.snapshot(row.about)):
        raise ProposalStale


def _as_stored(snapshot_data: JsonDict) -> JsonDict:
    """The snapshot as it reads back from its JSON column."""
    return to_plain_json(**snapshot_data)


def _truncate_outcome(message: StrOrPromise) -> str:
    return str(message)[:OUTCOME_MAX]
