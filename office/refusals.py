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

    code, title = "proposal_decided", _("This has already been decided.")


class ProposalExpired(Refusal):
    """Nobody agreed in time."""

    code, title = "proposal_expired", _("Not approved in time. Please submit it again.")


class ProposalOwn(Refusal):
    """Two people, or nothing is done."""

    code, status, title = (
        "proposal_own",
        403,
        _("You submitted this yourself or it concerns you; someone else must decide."),
    )


class ProposalStale(Refusal):
    """What it is about is not what it was."""

    code, title = (
        "proposal_stale",
        _("The situation has changed since this was submitted. Reject it and have it submitted again."),
    )


class ProposalAskerGone(Refusal):
    """It would be done by two, of whom one may not do it any more."""

    code, title = (
        "proposal_asker_gone",
        _(
            "The requester no longer has permission for this. Reject it and have an authorized colleague submit it"
            " again."
        ),
    )


class ProposalMoved(Refusal):
    """It would write something else into the book than whoever agreed was shown."""

    code, title = (
        "proposal_moved",
        _("The ledger changes differ from those you reviewed. Review them again before approving."),
    )


class ProposalWaits(Busy):
    """One at a time."""

    code, title = "proposal_waits", _("The same request is already pending approval.")


class ProposalNotOwn(Refusal):
    """Only whoever asked takes it back."""

    code, status, title = "proposal_not_own", 403, _("Only the requester can withdraw it.")


class NoPayoutAccount(Refusal):
    """Nobody would know where its money goes."""

    code, title = "payout_account_missing", _("No payout account has been approved yet.")


class TooManyLines(Refusal):
    """It would take longer than a page may."""

    code, title = "too_many_lines", _("Too many lines to preview. Wait for the cut-off.")


class FileWaits(Busy):
    """One after the other."""

    code, title = "file_waits", _("Another of your files is being created. Wait until it is ready.")


class FileOver(Refusal):
    """It was thrown away, or never came to be."""

    code, status, title = "file_over", 410, _("This file is no longer available. Request it again.")


class NothingWaits(Refusal):
    """It was decided meanwhile, or withdrawn."""

    code, title = "nothing_waits", _("This item has already been handled or is waiting for someone else.")


class HandledBy(Busy):
    """Somebody was quicker; who it is, is said."""

    code, title = "handled_by", _("No longer assigned to anyone.")

    @classmethod
    def by(cls, user: User | None) -> Self:
        """Whose it is."""
        return cls(format_lazy(_("{name} is handling it."), name=str(user))) if user else cls()


class UnfitColleague(Refusal):
    """It would lie with somebody who may not decide it."""

    code, title = "unfit_colleague", _("This colleague cannot handle items of this type.")


class NothingOverdue(Refusal):
    """Nobody is asked for what is not late."""

    code, title = "nothing_overdue", _("Nothing is overdue.")


class MayNotBeAsked(Refusal):
    """Something is to be decided first."""

    code, title = "may_not_be_asked", _("Collection is not allowed now.")

    @classmethod
    def because(cls, reasons: Sequence[str | Promise]) -> Self:
        """Why."""
        listed = format_lazy("; ".join(["{}"] * len(reasons)), *reasons)
        return cls(format_lazy(_("Collection is not allowed now: {reasons}."), reasons=listed))
