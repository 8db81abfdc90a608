"""The judge: what must be true of the book, held against the channel's own books and the published policy."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from billing import queries
from billing.models import Case, Deduction, DeductionLine
from billing.planning import Policy
from bnpl.invariants import violations
from ledger.models import Posting
from orders.models import Order
from tests.simulation.faults import ITS_OWN, Fault, FaultyChannel, Taking
from tests.simulation.papers import A_DAY, DOUBT_MAX, READ_BY, unexplained

#: The first attempt comes when the person expects it, at whatever hour; moved by them, it is the first still. That and
#: repeats of what never took place are no retries.
FIRST, NO_RETRIES = "due", ("due_moved", "channel_trouble")
_ACCOUNTS = """
INSERT INTO sandbox_bank.account (token, behaviour) SELECT DISTINCT token, 'pays' FROM unnest(%s::text[]) token
ON CONFLICT DO NOTHING
"""
_DEBITS = """
INSERT INTO sandbox_bank.debit (number, token, txn, amount_minor, currency, code, kind, at, settles_at)
SELECT number, token, txn, minor, 'CNY', '', '', at, at
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[]) AS d (number, token, txn, minor, at)
ON CONFLICT (number) DO UPDATE SET txn = excluded.txn, amount_minor = excluded.amount_minor
"""


@dataclass(frozen=True, slots=True)
class Judge:
    """Everything that is wrong at a moment, in sentences."""

    channel: FaultyChannel

    def wrongs(self, at: datetime, *, since: datetime) -> list[str]:
        """What the house itself would find, what the channel knows better, and what the policy forbids."""
        takings = list(self.channel.takings(at))
        rows = {row.id.hex: row for row in Deduction.objects.select_related("person").order_by("id")}
        self._show_the_bank(takings, rows)
        found = [f"{violation.name}: {violation.row}" for violation in violations()]
        strange = [taking for taking in takings if taking.number not in rows]
        takings = [taking for taking in takings if taking.number in rows]
        return [
            *found,
            *(f"{taking.txn} was taken under a number that nobody wrote down" for taking in strange),
            *self._unbooked(takings, rows, at),
            *unexplained(self.channel),
            *_made_up(takings, rows),
            *_charged_too_much(takings, rows),
            *_in_doubt(rows, at),
            *_against_the_policy([row for row in rows.values() if row.prepared_at >= since], list(rows.values())),
        ]

    def _show_the_bank(self, takings: Sequence[Taking], rows: dict[str, Deduction]) -> None:
        """Write the channel's truth where the house's own invariant looks for the sandbox bank's.

        It has one taking under a number: of two, the one that the book names, if it names one of them.
        """
        named = [
            taking for taking in takings if taking.number in rows and rows[taking.number].channel_txn == taking.txn
        ]
        shown = {taking.number: taking for taking in (*reversed(takings), *named)}
        tokens = [self.channel.debits[number].token for number in shown]
        debits = [
            (t.number, token, t.txn, t.amount.minor, t.at) for t, token in zip(shown.values(), tokens, strict=True)
        ]
        with connection.cursor() as cursor:
            cursor.execute(_ACCOUNTS, [tokens])
            cursor.execute(_DEBITS, list(map(list, zip(*debits, strict=True))) or [[]] * 5)

    def _unbooked(self, takings: Sequence[Taking], rows: dict[str, Deduction], at: datetime) -> Iterator[str]:
        """Money that stands nowhere, neither as a success nor in doubt nor in suspense, or there because of us."""
        cases = {(case.deduction_id, case.detail.get("txn")): case.id for case in Case.objects.all()}
        booked = dict(Posting.objects.filter(credit_account="suspense").values_list("cause_id", "amount_minor"))
        for taking in takings:
            row, debit = rows[taking.number], self.channel.debits[taking.number]
            case_id = cases.get((row.id, taking.txn))
            success = row.channel_txn == taking.txn
            # A channel may tell of one of two only; of the other its statement alone.
            heard_by = READ_BY if debit.fault is Fault.TWICE else A_DAY
            if case_id is None and not success and row.state not in Deduction.LIVE and taking.at < at - heard_by:
                yield f"{taking.txn} was taken and stands nowhere; its deduction is {row.state}"
            if case_id is not None and success:
                yield f"{taking.txn} stands twice: as a success and as a case"
            if case_id is not None and booked.get(case_id) != taking.amount.minor:
                yield f"{taking.txn} stands in a case without its posting"
            if case_id is not None and debit.fault not in ITS_OWN:
                yield f"{taking.txn} was taken once too often, and the channel did nothing wrong ({debit.fault})"


def _made_up(takings: Sequence[Taking], rows: dict[str, Deduction]) -> Iterator[str]:
    """Successes, and cases of money, that the channel knows nothing of."""
    known = {(taking.number, taking.txn): taking.amount.minor for taking in takings}
    for row in rows.values():
        if row.state == "succeeded" and known.get((row.id.hex, row.channel_txn or "")) != row.amount_minor:
            yield f"{row.channel_txn} is a success that was not taken"
    for case in Case.objects.select_related("deduction"):
        if case.deduction and "txn" in case.detail and (case.deduction.id.hex, case.detail["txn"]) not in known:
            yield f"{case.detail['txn']} is a case that was not taken"


def _charged_too_much(takings: Sequence[Taking], rows: dict[str, Deduction]) -> Iterator[str]:
    """Debts for which more was really taken than they come to, or which were forgiven; suspense stands apart."""
    cases = {(case.deduction_id, case.detail.get("txn")) for case in Case.objects.all()}
    real = {rows[t.number].id for t in takings if (rows[t.number].id, t.txn) not in cases}
    taken: Counter[UUID] = Counter()
    amounts: dict[UUID, tuple[int, str]] = {}
    lines = DeductionLine.objects.select_related("obligation").filter(deduction_id__in=real)
    for line in lines:
        taken[line.obligation_id] += line.amount_minor
        amounts[line.obligation_id] = (line.obligation.amount_minor, line.obligation.state)
    for obligation_id, minor in taken.items():
        amount, state = amounts[obligation_id]
        if minor > amount:
            yield f"{minor} was taken for a debt of {amount}"
        if state == "waived":
            yield f"{minor} was taken for a debt that was forgiven"
    gone = Order.objects.filter(deduction_lines__deduction_id__in=real, state__in=["cancelled", "expired"])
    yield from (f"money was taken for {order.out_order_no}, which is {order.state}" for order in gone.distinct())


def _in_doubt(rows: dict[str, Deduction], at: datetime) -> Iterator[str]:
    """Outcomes that nobody cleared up in time. Where another amount was taken, a person has to."""
    with_case = set(Case.objects.filter(kind="wrong_amount").values_list("deduction_id", flat=True))
    for row in rows.values():
        if row.state in Deduction.LIVE and row.prepared_at < at - DOUBT_MAX and row.id not in with_case:
            yield f"a deduction of {row.prepared_at} is still {row.state}"


def _against_the_policy(new: Sequence[Deduction], every: Sequence[Deduction]) -> Iterator[str]:
    """Planned retries beyond a cap or at a quiet hour."""
    policy = queries.policies_at(["standard"], new[-1].prepared_at)["standard"] if new else Policy()
    days: Counter[Any] = Counter()
    months: dict[UUID, list[datetime]] = {}
    fresh = {row.id for row in new}
    for row in every:
        if row.purpose != "planned" or row.reason == FIRST:
            continue
        local = row.prepared_at.astimezone(ZoneInfo(row.person.zone))
        if row.id in fresh and not policy.quiet_until <= local.hour < policy.quiet_from:
            yield f"a retry ({row.reason}) at {local:%H:%M}"
        if row.reason in NO_RETRIES:
            continue
        for who, most in ((row.instrument_id, policy.instrument_a_day), (row.person_id, policy.person_a_day)):
            days[who, local.date()] += 1
            if row.id in fresh and days[who, local.date()] > most:
                yield f"retry {days[who, local.date()]} of a day on {local:%Y-%m-%d} ({row.reason})"
        month = months.setdefault(row.instrument_id, [])
        month.append(row.prepared_at)
        recent = sum(moment > row.prepared_at - timedelta(days=30) for moment in month)
        if row.id in fresh and recent > policy.instrument_in_30_days:
            yield f"retry {recent} of 30 days from one instrument"
