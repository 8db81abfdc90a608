"""A merchant's payout account is agreed to, or refused, by a colleague as the second person."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import PayoutAccount
from billing.refusals import PayoutAccountDecided
from billing.services.payout_accounts import refuse_payout_account
from kernel.actor import Actor
from kernel.console_actions import Verb, Words
from portal.services.payouts import agree_as_staff

MONEY = ("finance", "supervisor")


def _waiting(row: PayoutAccount) -> dict[str, str]:
    """What is said of an account that waits for a second person.

    Raises:
        PayoutAccountDecided: it does not wait any more.
    """
    if row.state != PayoutAccount.State.ASKED:
        raise PayoutAccountDecided
    return {"merchant": row.merchant.name, "holder": row.holder, "bank": row.bank, "number": row.number_masked}


def _before_agreeing(row: PayoutAccount, at: datetime) -> Words:
    del at
    says = _("In one day payouts of %(merchant)s will go to %(holder)s, %(bank)s %(number)s.")
    more = _("First call the merchant on a number you already know.")
    return f"{says % _waiting(row)} {more}"


def _agree(account_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    agree_as_staff(account_id, wish["note"], by=by, at=at)
    return _("Approved. Takes effect in one day.")


def _before_refusing(row: PayoutAccount, at: datetime) -> Words:
    del at
    return _("Payouts of %(merchant)s will not go to %(holder)s, %(bank)s %(number)s.") % _waiting(row)


def _refuse(account_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    refuse_payout_account(account_id, note=wish["note"], by=by, at=at)
    return _("Request rejected.")


VERBS = [
    Verb("agree_account", PayoutAccount, gettext_lazy("Approve this account"), MONEY, _before_agreeing, _agree),
    Verb("refuse_account", PayoutAccount, gettext_lazy("Reject this account"), MONEY, _before_refusing, _refuse),
]
