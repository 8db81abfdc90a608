"""Where a merchant's money is sent: one person asks for it, another agrees, and a day later it counts."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from billing.models import PayoutAccount, Settlement
from billing.refusals import PayoutAccountAsked, PayoutAccountDecided, PayoutAccountInvalid, PayoutAccountOwn
from billing.rules import ACCOUNT_WAITS, bank_number, masked_number
from kernel import encryption
from kernel.actor import Actor
from kernel.refusal import FieldError
from merchants.models import Merchant
from merchants.services import record

NAMES_MAX = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as somebody wrote it down."""

    holder: str
    bank: str
    number: str


@transaction.atomic
def ask_payout_account(merchant_id: UUID, account: Account, *, by: Actor, at: datetime) -> PayoutAccount:
    """Somebody of the merchant's wants their money sent there. Nothing changes before another person agrees.

    Raises:
        PayoutAccountInvalid: it is no account; `errors` says what is wrong with it.
        PayoutAccountAsked: another one waits to be agreed to.
    """
    number = bank_number(account.number)
    names = {"/holder": account.holder.strip(), "/bank": account.bank.strip()}
    wrong = [
        FieldError(field, str(_("Between 1 and 80 characters."))) for field, text in names.items() if not _is_name(text)
    ]
    if number is None:
        wrong.append(FieldError("/number", str(_("8 to 34 letters and digits; spaces are ignored."))))
    if number is None or wrong:
        raise PayoutAccountInvalid(errors=wrong)
    merchant = Merchant.objects.select_for_update(of=("self",), no_key=True).get(pk=merchant_id)
    if PayoutAccount.objects.filter(merchant=merchant, state=PayoutAccount.State.ASKED).exists():
        raise PayoutAccountAsked
    row = PayoutAccount(
        realm_id=merchant.realm_id,
        merchant=merchant,
        holder=names["/holder"],
        bank=names["/bank"],
        number_masked=masked_number(number),
        asked_by=str(by),
        asked_at=at,
    )
    row.number_sealed = encryption.seal(number, place=row.place)
    row.record("asked", by=by, at=at)
    record.note(merchant_id, "payout_account_asked", row.id, by=by, at=at, number=row.number_masked)
    return row


@transaction.atomic
def agree_payout_account(account_id: UUID, *, note: str = "", by: Actor, at: datetime) -> PayoutAccount:
    """A second person agrees: in a day's time money is sent there, and what waited for an account is paid.

    Raises:
        NotFound: there is no such account.
        PayoutAccountDecided: somebody decided it before.
        PayoutAccountOwn: it is the same person who asked for it.
    """
    row = _asked(account_id, by=by)
    row.agree(by=str(by), at=at, effective_at=at + ACCOUNT_WAITS)
    row.record("agreed", by=by, at=at, note=note)
    waiting = Settlement.objects.filter(
        merchant=row.merchant_id, state=Settlement.State.CLOSED, net_minor__gt=0, pay_at__isnull=True
    )
    waiting.update(pay_at=row.effective_at)
    record.note(row.merchant_id, "payout_account_agreed", row.id, by=by, at=at, number=row.number_masked, reason=note)
    return row


@transaction.atomic
def refuse_payout_account(account_id: UUID, *, note: str = "", by: Actor, at: datetime) -> PayoutAccount:
    """It does not come to that account. Whoever asked for it may take it back themselves.

    Raises:
        NotFound: there is no such account.
        PayoutAccountDecided: somebody decided it before.
    """
    row = _asked(account_id, by=None)
    row.refuse(by=str(by), at=at)
    row.record("refused", by=by, at=at, note=note)
    record.note(row.merchant_id, "payout_account_refused", row.id, by=by, at=at, number=row.number_masked, reason=note)
    return row


def _asked(account_id: UUID, *, by: Actor | None) -> PayoutAccount:
    """The account that waits to be decided, locked, and not by whoever asked for it."""
    row = PayoutAccount.objects.locked(account_id)
    if row.state != PayoutAccount.State.ASKED:
        raise PayoutAccountDecided
    if by is not None and row.asked_by == str(by):
        raise PayoutAccountOwn
    return row


def _is_name(text: str) -> bool:
    return 0 < len(text) <= NAMES_MAX and text.isprintable()
