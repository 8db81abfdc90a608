"""Shared by the race tests: the number of rounds, and checks of bank and ledger after each round."""

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

#: A few in every run; `make evidence` runs 200.
ROUNDS = int(os.environ.get("RACE_ROUNDS", "2"))


def rounds(race: str) -> Iterator[int]:
    """1, 2, 3 …; prints one line at the end for evidence runs with -s."""
    yield from range(1, ROUNDS + 1)
    sys.stdout.write(f"\nrace, {race}: {ROUNDS} rounds, 0 violations\n")


def deducted_from(person: Person) -> int:
    """The amount deducted from the person's accounts at the sandbox bank."""
    tokens = person.instruments.filter(channel="sandbox").values_list("token", flat=True)
    return sum(money.minor for token in tokens for money in bank.debits_of(token))


def ledger_collected_from(person: Person) -> int:
    """The amount collected from the person, by the ledger."""
    rows = Posting.objects.filter(credit_account="receivable", credit_owner=person.id, debit_account="clearing:sandbox")
    return int(rows.aggregate(sum=Sum("amount_minor"))["sum"] or 0)


def count_events(order: Order, kind: str) -> int:
    """The number of these events about the order."""
    return Event.objects.filter(subject_id=order.id, type=kind).count()


def deductions_of(order: Order) -> list[Deduction]:
    """Every deduction for the order, oldest first."""
    return list(Deduction.objects.filter(lines__order=order).order_by("id"))
