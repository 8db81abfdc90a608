"""Writing the book. One fact posts once: `(cause, kind, line)` is unique in the database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kernel.transactions import joined
from kernel.writes import insert_all
from ledger.models import Posting
from ledger.postings import KINDS
from ledger.rules import Move


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that moved money: what caused it, of which kind, and the moves it means."""

    cause: UUID
    kind: str
    moves: Sequence[Move]
    order: UUID | None = None


@joined()
def post(facts: Iterable[Fact], *, realm_id: int, at: datetime) -> list[Posting]:
    """Book what happened, in one statement; moves of nothing are left out.

    Raises:
        ValueError: a fact is of a kind that the chart of accounts does not know.
        IntegrityError: a fact is already booked; the transaction must end, for it was about to be done twice.
    """
    facts = list(facts)
    if unknown := {fact.kind for fact in facts} - KINDS:
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
        for fact in facts
        for line, move in enumerate(fact.moves)
        if move.amount
    ]
    insert_all(postings)
    return postings
