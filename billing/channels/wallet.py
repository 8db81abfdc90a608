"""The channel to a person's own stored value: it lives in the book, so it answers at once and is never in doubt."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from billing.channels.base import Absent, Answer, Charge, Closed, Declined, Return, Taken
from billing.models import Deduction, RefundPart, Wallet, WalletEntry
from billing.planning import Kind
from kernel import ids
from kernel.money import Money
from ledger import rules as book
from ledger import services as ledger

CLEARING = book.clearing("wallet")


class WalletChannel:
    """Takes from the wallet whose token is its person's id."""

    name = "wallet"
    finality = timedelta()
    asks_min = 1
    at_once = 1

    @transaction.atomic
    def charge(self, charge: Charge) -> Answer:
        person_id = UUID(charge.token)
        if self._given_up(charge.number):
            return Declined("closed", Kind.TECHNICAL)
        wallet = (
            Wallet.objects.select_for_update(no_key=True).filter(pk=person_id, currency=charge.amount.currency).first()
        )
        done = self.query(charge.number, at=charge.at)
        if not isinstance(done, Absent):
            return done
        if wallet is None or wallet.balance_minor < charge.amount.minor:
            return Declined("insufficient_funds", Kind.SOFT)
        Wallet.objects.filter(pk=person_id).update(balance_minor=F("balance_minor") - charge.amount.minor)
        entry = WalletEntry.objects.create(
            person_id=person_id, number=charge.number, amount_minor=-charge.amount.minor, at=charge.at
        )
        move = book.Move(book.wallet(person_id), CLEARING, charge.amount)
        ledger.post([ledger.Fact(entry.id, "wallet_debited", [move])], realm_id=wallet.realm_id, at=charge.at)
        return Taken(entry.public_id, charge.amount)

    @transaction.atomic
    def give_back(self, asked: Return) -> Answer:
        if self._given_up(asked.number):
            return Declined("closed", Kind.TECHNICAL)
        # By the movement that took it: whoever has left is named by no token any more, and has their wallet still.
        person_id = WalletEntry.objects.get(pk=UUID(asked.txn.removeprefix(f"{WalletEntry.prefix}_"))).person_id
        wallet = Wallet.objects.select_for_update(no_key=True).get(pk=person_id)
        done = self.query(asked.number, at=asked.at)
        if not isinstance(done, Absent):
            return done
        Wallet.objects.filter(pk=person_id).update(balance_minor=F("balance_minor") + asked.amount.minor)
        entry = WalletEntry.objects.create(
            person_id=person_id, number=asked.number, amount_minor=asked.amount.minor, at=asked.at
        )
        move = book.Move(CLEARING, book.wallet(person_id), asked.amount)
        ledger.post([ledger.Fact(entry.id, "wallet_refunded", [move])], realm_id=wallet.realm_id, at=asked.at)
        return Taken(entry.public_id, asked.amount)

    def query(self, number: str, *, at: datetime) -> Answer:
        del at  # a wallet has no "not yet"
        entry = WalletEntry.objects.select_related("person__wallet").filter(number=number).first()
        if entry is None:
            return Absent()
        return Taken(entry.public_id, Money(abs(entry.amount_minor), entry.person.wallet.currency))

    def close(self, number: str, *, at: datetime) -> Answer:
        """Whoever comes late finds that its movement is not being sent any more."""
        answer = self.query(number, at=at)
        return Closed() if isinstance(answer, Absent) else answer

    def _given_up(self, number: str) -> bool:
        key = ids.bare(number)
        if key is None:
            return False
        for life in (Deduction, RefundPart):
            row = life.objects.select_for_update(of=("self",), no_key=True).filter(pk=key).first()
            if row is not None:
                return bool(row.state != life.State.SENT)
        return False
