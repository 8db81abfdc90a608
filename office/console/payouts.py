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
from kernel.desk import Verb, Words
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
    says = _("In a day's time the money of %(merchant)s goes to %(holder)s, %(bank)s %(number)s.")
    more = _("Call the merchant first, by a number you know.")
    return f"{says % _waiting(row)} {more}"


def _agree(account_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    agree_as_staff(account_id, wish["note"], by=by, at=at)
    return _("Agreed. It counts in a day's time.")


def _before_refusing(row: PayoutAccount, at: datetime) -> Words:
    del at
    return _("The money of %(merchant)s does not go to %(holder)s, %(bank)s %(number)s.") % _waiting(row)


def _refuse(account_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    refuse_payout_account(account_id, note=wish["note"], by=by, at=at)
    return _("Refused.")


VERBS = [
    Verb("agree_account", PayoutAccount, gettext_lazy("Agree to this account"), MONEY, _before_agreeing, _agree),
    Verb("refuse_account", PayoutAccount, gettext_lazy("Refuse this account"), MONEY, _before_refusing, _refuse),
]
