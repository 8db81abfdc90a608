"""Payout accounts of merchants: one person requests an account, another approves it, and a day later it is used."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from billing.models import PayoutAccount, Settlement
from billing.refusals import PayoutAccountAsked, PayoutAccountDecided, PayoutAccountInvalid, PayoutAccountOwn
from billing.rules import PAYOUT_ACCOUNT_DELAY, mask_account_number, normalize_account_number
from kernel import encryption
from kernel.actor import Actor
from kernel.refusal import FieldError
from merchants.models import Merchant
from merchants.services import change_log

NAMES_MAX = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDetails:
    """A bank account as it was entered."""

    holder: str
    bank: str
    number: str


@transaction.atomic
def request_payout_account(merchant_id: UUID, account: AccountDetails, *, by: Actor, at: datetime) -> PayoutAccount:
    """Request a new payout account for a merchant. Nothing changes until another person approves it.

    Raises:
        PayoutAccountInvalid: the details are invalid; `errors` lists what is wrong.
        PayoutAccountAsked: another account waits for approval.
    """
    number = normalize_account_number(account.number)
    names = {"/holder": account.holder.strip(), "/bank": account.bank.strip()}
    errors = [
        FieldError(field, _("Between 1 and 80 characters.")) for field, text in names.items() if not _is_name(text)
    ]
    if number is None:
        errors.append(FieldError("/number", _("8 to 34 letters and digits; spaces are ignored.")))
    if number is None or errors:
        raise PayoutAccountInvalid(errors=errors)
    merchant = Merchant.objects.select_for_update(of=("self",), no_key=True).get(pk=merchant_id)
    if PayoutAccount.objects.filter(merchant=merchant, state=PayoutAccount.State.ASKED).exists():
        raise PayoutAccountAsked
    row = PayoutAccount(
        realm_id=merchant.realm_id,
        merchant=merchant,
        holder=names["/holder"],
        bank=names["/bank"],
        number_masked=mask_account_number(number),
        asked_by=str(by),
        asked_at=at,
    )
    row.number_sealed = encryption.seal(number, place=row.place)
    row.record("asked", by=by, at=at)
    change_log.record_change(merchant_id, "payout_account_asked", row.id, by=by, at=at, number=row.number_masked)
    return row


@transaction.atomic
def approve_payout_account(account_id: UUID, *, note: str = "", by: Actor, at: datetime) -> PayoutAccount:
    """Approve a requested account. It is used from a day later; settlements that waited for an account are paid then.

    Raises:
        NotFound: there is no such account.
        PayoutAccountDecided: it is decided already.
        PayoutAccountOwn: the same person requested it.
    """
    row = _lock_requested(account_id, by=by)
    row.agree(by=str(by), at=at, effective_at=at + PAYOUT_ACCOUNT_DELAY)
    row.record("agreed", by=by, at=at, note=note)
    waiting = Settlement.objects.filter(
        merchant=row.merchant_id, state=Settlement.State.CLOSED, net_minor__gt=0, pay_at__isnull=True
    )
    waiting.update(pay_at=row.effective_at)
    change_log.record_change(
        row.merchant_id, "payout_account_agreed", row.id, by=by, at=at, number=row.number_masked, reason=note
    )
    return row


@transaction.atomic
def reject_payout_account(account_id: UUID, *, note: str = "", by: Actor, at: datetime) -> PayoutAccount:
    """Reject a requested account. The person who requested it may do so too, to withdraw it.

    Raises:
        NotFound: there is no such account.
        PayoutAccountDecided: it is decided already.
    """
    row = _lock_requested(account_id, by=None)
    row.refuse(by=str(by), at=at)
    row.record("refused", by=by, at=at, note=note)
    change_log.record_change(
        row.merchant_id, "payout_account_refused", row.id, by=by, at=at, number=row.number_masked, reason=note
    )
    return row


def _lock_requested(account_id: UUID, *, by: Actor | None) -> PayoutAccount:
    """Lock a requested account that waits for a decision. With `by`, check that another person requested it."""
    row = PayoutAccount.objects.locked(account_id)
    if row.state != PayoutAccount.State.ASKED:
        raise PayoutAccountDecided
    if by is not None and row.asked_by == str(by):
        raise PayoutAccountOwn
    return row


def _is_name(text: str) -> bool:
    return 0 < len(text) <= NAMES_MAX and text.isprintable()
