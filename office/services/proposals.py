"""One colleague asks, another decides. What was asked for is done in the transaction that says it was agreed to."""

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
from kernel.admin_site import belongs
from kernel.console_actions import Done, Words
from kernel.ids import uuid7
from kernel.maker_checker import MATTERS, Matter, Plain, found_row
from kernel.models import snapshot
from kernel.refusal import FieldError, Invalid, Refusal
from ledger.models import Posting
from office.models import Proposal
from office.refusals import (
    ProposalAskerGone,
    ProposalDecided,
    ProposalExpired,
    ProposalMoved,
    ProposalNotOwn,
    ProposalOwn,
    ProposalStale,
    ProposalWaits,
)
from office.services.foresight import seal_of

WAITS_FOR = timedelta(days=3)
EXPIRER = Actor.system("expire")
WHY_MAX, OUTCOME_MAX, BATCH = 200, 500, 100


def propose(matter: str, about: str, wish: Plain, why: str, *, by: Actor, at: datetime) -> Proposal:
    """Put something before a second colleague, as what it is about stands now. Nothing else changes.

    Raises:
        Invalid: no reason is given, or too much of one.
        NotFound: what it is about is not there.
        ProposalWaits: the same waits already.
    """
    if not 0 < len(why.strip()) <= WHY_MAX:
        raise Invalid(errors=[FieldError("/note", format_lazy(_("1 to {most} characters."), most=WHY_MAX))])
    row = Proposal(
        matter=matter,
        about=about,
        before=MATTERS[matter].stands(about),
        wish=wish,
        why=why.strip(),
        asked_by=str(by),
        asked_at=at,
        expires_at=at + WAITS_FOR,
    )
    try:
        with transaction.atomic():
            row.record("asked", by=by, at=at)
    except IntegrityError as clash:
        if "one_proposal_at_a_time" not in str(clash):
            raise
        raise ProposalWaits from None
    return row


def approve(proposal_id: UUID, because: str, *, seen: str | None = None, by: Actor, at: datetime) -> Proposal:
    """A second colleague agrees, and exactly what was asked for is done, by both of them.

    `seen` seals the postings that they were shown (office.services.foresight): those are made, or none.

    Raises:
        NotFound: there is no such proposal.
        ProposalDecided, ProposalExpired: it waits no longer.
        ProposalOwn: they asked for it themselves, or it is about them.
        ProposalAskerGone: whoever asked for it has not the role for it any more, or has left since.
        ProposalStale: what it is about is not what it was.
        ProposalMoved: it would move something else than they saw; it stays open.
        Refusal: it cannot be done now; it stays open.
    """
    row, then = _approved(proposal_id, because, seen, by=by, at=at)
    if then is not None:
        then()
    return row


@transaction.atomic
def _approved(
    proposal_id: UUID, because: str, seen: str | None, *, by: Actor, at: datetime
) -> tuple[Proposal, Callable[[], object] | None]:
    row = _open(proposal_id, by=by, at=at)
    matter = MATTERS[row.matter]
    _judge_matter(row, matter)
    books, edge = _books(matter, row.about), uuid7()
    done = matter.run(row.about, row.wish, row.why, Actor.named(row.asked_by).agreed(by), at)
    if seen is not None and books is not None:
        made = Posting.objects.filter(books, pk__gt=edge)
        if seal_of(list(made)) != seen:
            raise ProposalMoved
    says, then = (done.says, done.then) if isinstance(done, Done) else (done, None)
    row.approve(by=str(by), at=at, because=because, outcome=_kept(says))
    row.record("approved", by=by, at=at, because=because)
    row.once = str(done.once) if isinstance(done, Done) else ""
    return row, then


def _books(matter: Matter, about: str) -> Q | None:
    """Where its postings will stand; nothing where they cannot be foreseen."""
    verb = matter.verb
    return verb.books(found_row(verb, about)) if verb is not None and verb.books is not None else None


@transaction.atomic
def refuse(proposal_id: UUID, because: str, *, by: Actor, at: datetime) -> Proposal:
    """A second colleague does not agree.

    Raises:
        NotFound, ProposalDecided, ProposalExpired, ProposalOwn: as approve says.
    """
    row = _open(proposal_id, by=by, at=at)
    row.refuse(by=str(by), at=at, because=because)
    row.record("refused", by=by, at=at, because=because)
    return row


@transaction.atomic
def withdraw(proposal_id: UUID, because: str, *, by: Actor, at: datetime) -> Proposal:
    """Whoever asked takes it back.

    Raises:
        NotFound, ProposalDecided: as approve says.
        ProposalNotOwn: somebody else asked.
    """
    row = Proposal.objects.locked(proposal_id)
    if row.state != Proposal.State.OPEN:
        raise ProposalDecided
    if row.asked_by != str(by):
        raise ProposalNotOwn
    row.withdraw(at=at, because=because)
    row.seen_at = at
    row.record("withdrawn", by=by, at=at, because=because)
    return row


@transaction.atomic
def expire_due(*, at: datetime) -> int:
    """What nobody agreed to in time is over. Returns how many."""
    due = Proposal.objects.filter(state=Proposal.State.OPEN, expires_at__lte=at).order_by("pk")
    rows = list(due.select_for_update(skip_locked=True, no_key=True)[:BATCH])
    for row in rows:
        row.expire(by=str(EXPIRER), at=at)
        row.record("expired", by=EXPIRER, at=at)
    return len(rows)


def see_decided(*, by: Actor, at: datetime) -> None:
    """Whoever asked has seen how it was decided."""
    mine = Proposal.objects.filter(asked_by=str(by), seen_at__isnull=True).exclude(state=Proposal.State.OPEN)
    mine.update(seen_at=at)


def hindrance(row: Proposal, *, by: Actor, at: datetime) -> Refusal | None:
    """Why this colleague cannot agree to it now; nothing where they can."""
    try:
        _judge(row, by=by, at=at)
        _judge_matter(row, MATTERS[row.matter])
    except Refusal as refusal:
        return refusal
    return None


def _open(proposal_id: UUID, *, by: Actor, at: datetime) -> Proposal:
    """The proposal, locked, while this colleague may decide it."""
    row = Proposal.objects.locked(proposal_id)
    _judge(row, by=by, at=at)
    return row


def _judge(row: Proposal, *, by: Actor, at: datetime) -> None:
    if row.state != Proposal.State.OPEN:
        raise ProposalDecided
    if at >= row.expires_at:
        raise ProposalExpired
    if row.asked_by == str(by) or row.about == by.name:
        raise ProposalOwn


def _judge_matter(row: Proposal, matter: Matter) -> None:
    """It is done by both as what it is about stood: so both may still do it, and it still stands so."""
    asked_by = ids.parse("usr", Actor.named(row.asked_by).name)
    asker = User.objects.filter(pk=asked_by).first() if asked_by else None
    if asker is None or not belongs(asker, matter.askers) or has_left_since(asker.pk, row.asked_at):
        raise ProposalAskerGone
    if row.before != _plain(matter.stands(row.about)):
        raise ProposalStale


def _plain(stands: Plain) -> Plain:
    """As it would stand in the database."""
    return snapshot(**stands)


def _kept(says: Words) -> str:
    return str(says)[:OUTCOME_MAX]
