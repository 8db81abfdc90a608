"""What may be wrong with asking a second colleague, with being the second, and with seeing to what waits."""

from collections.abc import Sequence
from typing import Self

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from kernel.refusal import Busy, Refusal


class ProposalDecided(Refusal):
    """Somebody was quicker."""

    code, title = "proposal_decided", _("This was decided already.")


class ProposalExpired(Refusal):
    """Nobody agreed in time."""

    code, title = "proposal_expired", _("Nobody agreed in time. It has to be asked for once more.")


class ProposalOwn(Refusal):
    """Two people, or nothing is done."""

    code, status, title = (
        "proposal_own",
        403,
        _("You asked for this yourself, or it is about you: somebody else decides."),
    )


class ProposalStale(Refusal):
    """What it is about is not what it was."""

    code, title = (
        "proposal_stale",
        _("What this is about has changed since it was asked for. Refuse it, and have it asked for once more."),
    )


class ProposalAskerGone(Refusal):
    """It would be done by two, of whom one may not do it any more."""

    code, title = (
        "proposal_asker_gone",
        _("Whoever asked for this may not ask for it any more. Refuse it, and have it asked for once more."),
    )


class ProposalMoved(Refusal):
    """It would write something else into the book than whoever agreed was shown."""

    code, title = (
        "proposal_moved",
        _("What it would move in the book has changed since you looked. Look again before you agree."),
    )


class ProposalWaits(Busy):
    """One at a time."""

    code, title = "proposal_waits", _("The same was asked for already, and waits for a second colleague.")


class ProposalNotOwn(Refusal):
    """Only whoever asked takes it back."""

    code, status, title = "proposal_not_own", 403, _("Only whoever asked for it takes it back.")


class NoPayoutAccount(Refusal):
    """Nobody would know where its money goes."""

    code, title = "payout_account_missing", _("No payout account was agreed to yet.")


class TooManyLines(Refusal):
    """It would take longer than a page may."""

    code, title = "too_many_lines", _("There are too many lines to add them up beforehand. Wait for the cut-off.")


class FileWaits(Busy):
    """One after the other."""

    code, title = "file_waits", _("Another file of yours is being made. Wait until it is ready.")


class FileOver(Refusal):
    """It was thrown away, or never came to be."""

    code, status, title = "file_over", 410, _("This file is not there any more. Ask for it once more.")


class NothingWaits(Refusal):
    """It was decided meanwhile, or withdrawn."""

    code, title = "nothing_waits", _("This is done already, or waits for somebody else.")


class HandledBy(Busy):
    """Somebody was quicker; who it is, is said."""

    code, title = "handled_by", _("Nobody has it any more.")

    @classmethod
    def by(cls, user: User | None) -> Self:
        """Whose it is."""
        return cls(format_lazy(_("{name} has it."), name=str(user))) if user else cls()


class UnfitColleague(Refusal):
    """It would lie with somebody who may not decide it."""

    code, title = "unfit_colleague", _("This colleague may not decide such things.")


class NothingOverdue(Refusal):
    """Nobody is asked for what is not late."""

    code, title = "nothing_overdue", _("Nothing of this is overdue.")


class MayNotBeAsked(Refusal):
    """Something is to be decided first."""

    code, title = "may_not_be_asked", _("This may not be asked for now.")

    @classmethod
    def because(cls, reasons: Sequence[str | Promise]) -> Self:
        """Why."""
        listed = format_lazy("; ".join(["{}"] * len(reasons)), *reasons)
        return cls(format_lazy(_("This may not be asked for now: {reasons}."), reasons=listed))
