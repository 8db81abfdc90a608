"""Refusals of dual approval, exports, queue assignment and collection contacts."""

from collections.abc import Sequence
from typing import Self

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from kernel.refusal import Busy, Refusal


class ProposalDecided(Refusal):
    """The proposal was decided already."""

    code, title = "proposal_decided", _("This has already been decided.")


class ProposalExpired(Refusal):
    """The proposal was not decided in time."""

    code, title = "proposal_expired", _("Not approved in time. Please submit it again.")


class ProposalSelfApproval(Refusal):
    """The approver must not be the requester or the subject."""

    code, status, title = (
        "proposal_own",
        403,
        _("You submitted this yourself or it concerns you; someone else must decide."),
    )


class ProposalStale(Refusal):
    """The subject changed since the request."""

    code, title = (
        "proposal_stale",
        _("The situation has changed since this was submitted. Reject it and have it submitted again."),
    )


class ProposerNotAuthorized(Refusal):
    """The requester no longer has the permission."""

    code, title = (
        "proposal_asker_gone",
        _(
            "The requester no longer has permission for this. Reject it and have an authorized colleague submit it"
            " again."
        ),
    )


class ProposalPostingsChanged(Refusal):
    """The action would make other postings than the approver was shown."""

    code, title = (
        "proposal_moved",
        _("The ledger changes differ from those you reviewed. Review them again before approving."),
    )


class ProposalPending(Busy):
    """The same action on the same subject is pending."""

    code, title = "proposal_waits", _("The same request is already pending approval.")


class NotProposer(Refusal):
    """Only the requester may withdraw a proposal."""

    code, status, title = "proposal_not_own", 403, _("Only the requester can withdraw it.")


class NoPayoutAccount(Refusal):
    """The merchant has no approved payout account."""

    code, title = "payout_account_missing", _("No payout account has been approved yet.")


class TooManyLines(Refusal):
    """Too many lines for a preview within one request."""

    code, title = "too_many_lines", _("Too many lines to preview. Wait for the cut-off.")


class FileInProgress(Busy):
    """The user's previous export is not finished yet."""

    code, title = "file_waits", _("Another of your files is being created. Wait until it is ready.")


class FileGone(Refusal):
    """The file has expired or was never finished."""

    code, status, title = "file_over", 410, _("This file is no longer available. Request it again.")


class NothingToHandle(Refusal):
    """The item is no longer in the queue."""

    code, title = "nothing_waits", _("This item has already been handled or is waiting for someone else.")


class AlreadyAssigned(Busy):
    """The item has another assignee than expected."""

    code, title = "handled_by", _("No longer assigned to anyone.")

    @classmethod
    def assigned_to(cls, user: User | None) -> Self:
        """The refusal naming the present assignee."""
        return cls(format_lazy(_("{name} is handling it."), name=str(user))) if user else cls()


class CannotHandleQueue(Refusal):
    """The colleague is not in a group that handles this queue."""

    code, title = "unfit_colleague", _("This colleague cannot handle items of this type.")


class NothingOverdue(Refusal):
    """The person has no overdue debt to collect."""

    code, title = "nothing_overdue", _("Nothing is overdue.")


class ContactNotAllowed(Refusal):
    """Collection is on hold."""

    code, title = "may_not_be_asked", _("Collection is not allowed now.")

    @classmethod
    def with_reasons(cls, reasons: Sequence[str | Promise]) -> Self:
        """The refusal with the reasons of the hold."""
        listed = format_lazy("; ".join(["{}"] * len(reasons)), *reasons)
        return cls(format_lazy(_("Collection is not allowed now: {reasons}."), reasons=listed))
