"""What the races share: how often each is run, and what is asked of the bank and the book after each round."""

import os
import sys
from collections.abc import Iterator

from django.db.models import Sum

from accounts.models import Person
from billing.channels import bank
from billing.models import Deduction
from ledger.models import Posting
from merchants.models import Event
from orders.models import Order

#: A handful in every run; `make evidence` asks for 200.
ROUNDS = int(os.environ.get("RACE_ROUNDS", "2"))


def rounds(race: str) -> Iterator[int]:
    """1, 2, 3 …; and at the end one line for whoever asks for the evidence with -s."""
    yield from range(1, ROUNDS + 1)
    sys.stdout.write(f"\nrace, {race}: {ROUNDS} rounds, 0 violations\n")


def taken_from(person: Person) -> int:
    """What really left the person's accounts at the sandbox bank."""
    tokens = person.instruments.filter(channel="sandbox").values_list("token", flat=True)
    return sum(money.minor for token in tokens for money in bank.debits_of(token))


def booked(person: Person) -> int:
    """What the book says was collected from the person."""
    rows = Posting.objects.filter(credit_account="receivable", credit_owner=person.id, debit_account="clearing:sandbox")
    return int(rows.aggregate(sum=Sum("amount_minor"))["sum"] or 0)


def told(order: Order, kind: str) -> int:
    """How often the merchant hears this of the order."""
    return Event.objects.filter(subject_id=order.id, type=kind).count()


def attempts_at(order: Order) -> list[Deduction]:
    """Every deduction for the order, oldest first."""
    return list(Deduction.objects.filter(lines__order=order).order_by("id"))
