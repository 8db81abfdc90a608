"""Console actions that approve or reject a merchant's payout account, as the second person."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import PayoutAccount
from billing.refusals import PayoutAccountDecided
from billing.services.payout_accounts import reject_payout_account
from kernel.actor import Actor
from kernel.actor_names import describe_actor, usernames_of
from kernel.console_actions import RowAction, StrOrPromise
from portal.services.payout_account_approval import approve_as_staff, find_requester, require_authorized_requester

FINANCE_GROUPS = ("finance", "supervisor")


def _requested_account(row: PayoutAccount) -> dict[str, str]:
    """Message parameters of an account that awaits approval.

    Raises:
        PayoutAccountDecided: it has been decided already.
    """
    if row.state != PayoutAccount.State.ASKED:
        raise PayoutAccountDecided
    return {"merchant": row.merchant.name, "holder": row.holder, "bank": row.bank, "number": row.number_masked}


def _approve_preview(row: PayoutAccount, at: datetime) -> StrOrPromise:
    del at
    message = _("In one day payouts of %(merchant)s will go to %(holder)s, %(bank)s %(number)s.")
    account = _requested_account(row)
    require_authorized_requester(row, find_requester(row))
    names = usernames_of([row.asked_by])
    who = _("Requested by %(who)s.") % {"who": names.get(row.asked_by) or describe_actor(row.asked_by, names)}
    more = _("First call the merchant on a number you already know.")
    return f"{message % account} {who} {more}"


def _approve(account_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    approve_as_staff(account_id, data["note"], by=by, at=at)
    return _("Approved. Takes effect in one day.")


def _refuse_preview(row: PayoutAccount, at: datetime) -> StrOrPromise:
    del at
    return _("Payouts of %(merchant)s will not go to %(holder)s, %(bank)s %(number)s.") % _requested_account(row)


def _refuse(account_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    reject_payout_account(account_id, note=data["note"], by=by, at=at)
    return _("Request rejected.")


ROW_ACTIONS = [
    RowAction(
        "agree_account", PayoutAccount, gettext_lazy("Approve this account"), FINANCE_GROUPS, _approve_preview, _approve
    ),
    RowAction(
        "refuse_account", PayoutAccount, gettext_lazy("Reject this account"), FINANCE_GROUPS, _refuse_preview, _refuse
    ),
]
