"""The stored-value wallet as a channel. It is part of our ledger, so its outcomes are never unknown."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from billing.channels.base import Answer, ChargeRequest, Closed, Declined, NumberNotFound, RefundRequest, Succeeded
from billing.models import Deduction, RefundPart, Wallet, WalletEntry
from billing.planning import FailureClass
from kernel import ids
from kernel.money import Money
from ledger import accounts as book
from ledger import services as ledger

CLEARING = book.clearing("wallet")


class WalletChannel:
    """Charges and refunds wallets. The token is the person's id."""

    name = "wallet"
    finality = timedelta()
    min_queries = 1
    max_parallel_calls = 1

    @transaction.atomic
    def charge(self, request: ChargeRequest) -> Answer:
        person_id = UUID(request.token)
        if self._is_abandoned(request.number):
            return Declined("closed", FailureClass.TECHNICAL)
        wallet = (
            Wallet.objects.select_for_update(no_key=True).filter(pk=person_id, currency=request.amount.currency).first()
        )
        done = self.query(request.number, at=request.at)
        if not isinstance(done, NumberNotFound):
            return done
        if wallet is None or wallet.balance_minor < request.amount.minor:
            return Declined("insufficient_funds", FailureClass.SOFT)
        Wallet.objects.filter(pk=person_id).update(balance_minor=F("balance_minor") - request.amount.minor)
        entry = WalletEntry.objects.create(
            person_id=person_id, number=request.number, amount_minor=-request.amount.minor, at=request.at
        )
        move = book.Move(book.wallet(person_id), CLEARING, request.amount)
        ledger.post([ledger.JournalEntry(entry.id, "wallet_debited", [move])], realm_id=wallet.realm_id, at=request.at)
        return Succeeded(entry.public_id, request.amount)

    @transaction.atomic
    def refund(self, request: RefundRequest) -> Answer:
        if self._is_abandoned(request.number):
            return Declined("closed", FailureClass.TECHNICAL)
        # Found by the original entry: the token is erased when a person closes their account, their wallet remains.
        person_id = WalletEntry.objects.get(pk=UUID(request.txn.removeprefix(f"{WalletEntry.prefix}_"))).person_id
        wallet = Wallet.objects.select_for_update(no_key=True).get(pk=person_id)
        done = self.query(request.number, at=request.at)
        if not isinstance(done, NumberNotFound):
            return done
        Wallet.objects.filter(pk=person_id).update(balance_minor=F("balance_minor") + request.amount.minor)
        entry = WalletEntry.objects.create(
            person_id=person_id, number=request.number, amount_minor=request.amount.minor, at=request.at
        )
        move = book.Move(CLEARING, book.wallet(person_id), request.amount)
        ledger.post([ledger.JournalEntry(entry.id, "wallet_refunded", [move])], realm_id=wallet.realm_id, at=request.at)
        return Succeeded(entry.public_id, request.amount)

    def query(self, number: str, *, at: datetime) -> Answer:
        del at  # a wallet has no pending outcomes
        entry = WalletEntry.objects.select_related("person__wallet").filter(number=number).first()
        if entry is None:
            return NumberNotFound()
        return Succeeded(entry.public_id, Money(abs(entry.amount_minor), entry.person.wallet.currency))

    def close(self, number: str, *, at: datetime) -> Answer:
        """Nothing to block: a late request finds that its movement is no longer being sent (`_is_abandoned`)."""
        answer = self.query(number, at=at)
        return Closed() if isinstance(answer, NumberNotFound) else answer

    def _is_abandoned(self, number: str) -> bool:
        key = ids.parse_hex(number)
        if key is None:
            return False
        for life in (Deduction, RefundPart):
            row = life.objects.select_for_update(of=("self",), no_key=True).filter(pk=key).first()
            if row is not None:
                return bool(row.state != life.State.SENT)
        return False
