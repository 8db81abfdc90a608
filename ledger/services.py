"""Posting to the ledger. An entry posts once: `(cause, kind, line)` is unique in the database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kernel.bulk_writes import insert_all
from kernel.transactions import join_transaction
from ledger.accounts import Move
from ledger.models import Posting
from ledger.posting_kinds import POSTING_KINDS


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An event that moved money: its cause, kind, moves, and the order it is about."""

    cause: UUID
    kind: str
    moves: Sequence[Move]
    order: UUID | None = None


@join_transaction()
def post(entries: Iterable[JournalEntry], *, realm_id: int, at: datetime) -> list[Posting]:
    """Write the postings of these entries in one statement; moves of zero are left out.

    Raises:
        ValueError: an entry's kind is not one of `POSTING_KINDS`.
        IntegrityError: an entry is already posted. The transaction must be rolled back, because it would do it twice.
    """
    entries = list(entries)
    if unknown := {fact.kind for fact in entries} - POSTING_KINDS:
        raise ValueError(f"no such kind of posting: {sorted(unknown)}")
    postings = [
        Posting(
            realm_id=realm_id,
            cause_id=fact.cause,
            kind=fact.kind,
            line=line,
            order_id=fact.order,
            debit_account=move.debit.code,
            debit_owner=move.debit.owner,
            credit_account=move.credit.code,
            credit_owner=move.credit.owner,
            amount_minor=move.amount.minor,
            currency=move.amount.currency,
            at=at,
        )
        for fact in entries
        for line, move in enumerate(fact.moves)
        if move.amount
    ]
    insert_all(postings)
    return postings
