"""What may be wrong with asking a second colleague, or with being the second."""

from django.utils.translation import gettext_lazy as _

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
