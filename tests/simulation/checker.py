"""Checks a simulation: invariants of the ledger, the channel's own records, and the published retry policy."""

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
from bnpl.invariants import find_violations
from ledger.models import Posting
from orders.models import Order
from tests.simulation.channel_statements import A_DAY, DOUBT_MAX, READ_BY, unexplained_breaks
from tests.simulation.faults import CHANNEL_MISTAKES, Fault, FaultyChannel, Withdrawal

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
class Checker:
    """Finds everything that is wrong at a moment, as sentences."""

    channel: FaultyChannel

    def find_violations(self, at: datetime, *, since: datetime) -> list[str]:
        """Violations of invariants, differences from the channel's own records, and breaches of the retry policy."""
        withdrawals = list(self.channel.withdrawals_until(at))
        rows = {row.id.hex: row for row in Deduction.objects.select_related("person").order_by("id")}
        self._show_the_bank(withdrawals, rows)
        found = [f"{violation.name}: {violation.row}" for violation in find_violations()]
        strange = [withdrawal for withdrawal in withdrawals if withdrawal.number not in rows]
        withdrawals = [withdrawal for withdrawal in withdrawals if withdrawal.number in rows]
        return [
            *found,
            *(f"{withdrawal.txn} was taken under a number that nobody wrote down" for withdrawal in strange),
            *self._unbooked(withdrawals, rows, at),
            *unexplained_breaks(self.channel),
            *_made_up(withdrawals, rows),
            *_charged_too_much(withdrawals, rows),
            *_in_doubt(rows, at),
            *_against_the_policy([row for row in rows.values() if row.prepared_at >= since], list(rows.values())),
        ]

    def _show_the_bank(self, withdrawals: Sequence[Withdrawal], rows: dict[str, Deduction]) -> None:
        """Write the channel's withdrawals into the sandbox bank's tables, where the invariants read them.

        They hold one withdrawal for a number: of two, the one that the ledger names, if it names one.
        """
        named = [
            withdrawal
            for withdrawal in withdrawals
            if withdrawal.number in rows and rows[withdrawal.number].channel_txn == withdrawal.txn
        ]
        shown = {withdrawal.number: withdrawal for withdrawal in (*reversed(withdrawals), *named)}
        tokens = [self.channel.debits[number].token for number in shown]
        debits = [
            (t.number, token, t.txn, t.amount.minor, t.at) for t, token in zip(shown.values(), tokens, strict=True)
        ]
        with connection.cursor() as cursor:
            cursor.execute(_ACCOUNTS, [tokens])
            cursor.execute(_DEBITS, list(map(list, zip(*debits, strict=True))) or [[]] * 5)

    def _unbooked(self, withdrawals: Sequence[Withdrawal], rows: dict[str, Deduction], at: datetime) -> Iterator[str]:
        """Withdrawals that are booked nowhere (success, in doubt or suspense), or in suspense by our own mistake."""
        cases = {(case.deduction_id, case.detail.get("txn")): case.id for case in Case.objects.all()}
        booked = dict(Posting.objects.filter(credit_account="suspense").values_list("cause_id", "amount_minor"))
        for withdrawal in withdrawals:
            row, debit = rows[withdrawal.number], self.channel.debits[withdrawal.number]
            case_id = cases.get((row.id, withdrawal.txn))
            success = row.channel_txn == withdrawal.txn
            # Of two withdrawals the channel may report only one by callback; the other is only in its statement.
            heard_by = READ_BY if debit.fault is Fault.TWICE else A_DAY
            if case_id is None and not success and row.state not in Deduction.LIVE and withdrawal.at < at - heard_by:
                yield f"{withdrawal.txn} was taken and stands nowhere; its deduction is {row.state}"
            if case_id is not None and success:
                yield f"{withdrawal.txn} stands twice: as a success and as a case"
            if case_id is not None and booked.get(case_id) != withdrawal.amount.minor:
                yield f"{withdrawal.txn} stands in a case without its posting"
            if case_id is not None and debit.fault not in CHANNEL_MISTAKES:
                yield f"{withdrawal.txn} was taken once too often, and the channel did nothing wrong ({debit.fault})"


def _made_up(withdrawals: Sequence[Withdrawal], rows: dict[str, Deduction]) -> Iterator[str]:
    """Successes and cases of withdrawals that the channel did not make."""
    known = {(withdrawal.number, withdrawal.txn): withdrawal.amount.minor for withdrawal in withdrawals}
    for row in rows.values():
        if row.state == "succeeded" and known.get((row.id.hex, row.channel_txn or "")) != row.amount_minor:
            yield f"{row.channel_txn} is a success that was not taken"
    for case in Case.objects.select_related("deduction"):
        if case.deduction and "txn" in case.detail and (case.deduction.id.hex, case.detail["txn"]) not in known:
            yield f"{case.detail['txn']} is a case that was not taken"


def _charged_too_much(withdrawals: Sequence[Withdrawal], rows: dict[str, Deduction]) -> Iterator[str]:
    """Debts for which too much was withdrawn, or that were waived; amounts in suspense do not count."""
    cases = {(case.deduction_id, case.detail.get("txn")) for case in Case.objects.all()}
    real = {rows[t.number].id for t in withdrawals if (rows[t.number].id, t.txn) not in cases}
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
    """Results that stayed in doubt too long. A wrong amount needs a person and is excluded."""
    with_case = set(Case.objects.filter(kind="wrong_amount").values_list("deduction_id", flat=True))
    for row in rows.values():
        if row.state in Deduction.LIVE and row.prepared_at < at - DOUBT_MAX and row.id not in with_case:
            yield f"a deduction of {row.prepared_at} is still {row.state}"


def _against_the_policy(new: Sequence[Deduction], every: Sequence[Deduction]) -> Iterator[str]:
    """Planned retries beyond a limit or in quiet hours."""
    policy = queries.retry_policies_at(["standard"], new[-1].prepared_at)["standard"] if new else Policy()
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
