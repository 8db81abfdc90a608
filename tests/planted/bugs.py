"""Known bugs, each a small change to the product, and the suites that must detect it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """In this file, this text, which stands there exactly once, becomes that."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Bug:
    """A mistake somebody could make, and where it must be noticed."""

    name: str
    changes: tuple[Change, ...]
    suites: tuple[str, ...]


def bug(name: str, file: str, old: str, new: str, *suites: str) -> Bug:
    return Bug(name, (Change(file, old, new),), suites)


ASK, PLANNING = "billing/services/outcome_polling.py", "billing/planning.py"
SETTLE, COLLECT = "billing/services/deduction_outcomes.py", "orders/services/payments.py"
CLAIMS, AGE = "orders/services/claims.py", "orders/services/ageing.py"
CALLBACKS, FINISH = "billing/services/callbacks.py", "orders/services/completion.py"
SAME = "tests/races/test_money.py::test_the_same_completion_twenty_times_at_once_is_one_completion"
ENDS = "tests/races/test_money.py::test_completing_and_cancelling_at_once_leaves_one_of_both_ends"
ONCE = "tests/billing/test_reminders.py::test_eight_concurrent_sweeps_write_each_reminder_once"
OBLIGATION, IDEMPOTENCY = "orders/models/obligation.py", "kernel/idempotency.py"

LOCKS = [
    bug(
        "the lock is dropped from the select",
        "kernel/lifecycle.py",
        'models.QuerySet(model).select_for_update(of=("self",), no_key=True)',
        "models.QuerySet(model)",
        SAME,
        ENDS,
    ),
    bug(
        "it is decided on the row as read before the lock",
        FINISH,
        "    order = Order.objects.locked(order_id)\n    if order.final_hash is not None",
        "    order = Order.objects.filter(pk=order_id).first() or Order.objects.locked(order_id)\n"
        "    Order.objects.locked(order_id)\n    if order.final_hash is not None",
        SAME,
        ENDS,
    ),
    Bug(
        "in flight is not noted, and the index of live lines is ignored",
        (
            Change(
                CLAIMS,
                "obligation.in_flight, obligation.collect_at = deduction_id, None",
                "obligation.collect_at = None",
            ),
            Change(
                "billing/services/deduct.py",
                "        attempt=request.obligation.attempts + 1,\n",
                "        attempt=request.obligation.attempts + 1,\n        live=False,\n",
            ),
        ),
        ("tests/billing/test_pay.py",),
    ),
    bug(
        "what took nothing stays in flight",
        CLAIMS,
        "        row.in_flight = None\n        if item.plan is not None:",
        "        if item.plan is not None:",
        "tests/billing/test_deduct.py",
    ),
    bug(
        "paying everything takes in what is in flight",
        CLAIMS,
        "person_id=person_id, state__in=Obligation.PAYABLE, in_flight__isnull=True, paused_at__isnull=True",
        "person_id=person_id, state__in=Obligation.PAYABLE, paused_at__isnull=True",
        "tests/billing/test_pay.py",
    ),
    bug(
        "the answer is kept after the transaction of its effect",
        IDEMPOTENCY,
        "            answer = _lock_and_find(request) or _save_answer(request, operation())\n    except",
        "            kept = _lock_and_find(request)\n            answer = kept or operation()\n"
        "        if kept is None:\n            _save_answer(request, answer)\n    except",
        "tests/kernel/test_idempotency.py",
    ),
    Bug(
        "one fact posts once by the code's good will only",
        (
            Change(
                "ledger/migrations/0001_initial.py",
                "models.UniqueConstraint(fields=('cause_id', 'kind', 'line'), name='one_fact_posts_once'), ",
                "",
            ),
        ),
        ("tests/ledger",),
    ),
]

OUTCOMES = [
    bug(
        "a number is given up without closing it",
        ASK,
        "return channels.close(row.channel, row.number, at=at)",
        "return channels.Closed()",
        "tests/billing/test_late_arrival.py",
    ),
    bug(
        "an orphan is not asked about before it is tried again",
        ASK,
        "partial(query_outcome, row, at=at, close_if_absent=close_if_absent(row))",
        "channels.Closed",
        "tests/billing/test_deduction_outcomes.py",
    ),
    bug(
        "each time it is sent it has a new number",
        "billing/models/deductions.py",
        "        return self.id.hex\n",
        "        return ids.uuid7().hex\n",
        "tests/billing/test_deduction_outcomes.py",
    ),
    bug(
        "not found is believed at once",
        "billing/rules.py",
        "return asks >= min_queries and at >= sent_at + finality",
        "return asks >= 1",
        "tests/billing/test_deduction_outcomes.py",
    ),
    bug(
        "unknown is taken for failed",
        "billing/channels/__init__.py",
        "    return None if time.monotonic() >= deadline else _call_safely(call, name, number)\n",
        "    answer = None if time.monotonic() >= deadline else _call_safely(call, name, number)\n"
        '    return Declined(answer.code, "technical") if isinstance(answer, Unknown) else answer\n',
        "tests/billing/test_deduction_outcomes.py",
    ),
    bug(
        "the amount taken is not compared with the amount asked for",
        SETTLE,
        "if isinstance(answer, Succeeded) and answer.amount == row.amount:",
        "if isinstance(answer, Taken) and answer.amount:",
        "tests/billing/test_callbacks.py",
    ),
    bug(
        "a callback's signature is not compared",
        CALLBACKS,
        "if not hmac.compare_digest(bank.sign(raw).encode(), signature.encode()):",
        "if not signature:",
        "tests/billing/test_callbacks.py",
    ),
    bug(
        "a callback acts as often as it comes",
        CALLBACKS,
        "    if not created:\n        return False\n",
        "",
        "tests/billing/test_callbacks.py",
    ),
    bug(
        "a contradiction is swallowed",
        SETTLE,
        "    if not (succeeded and answer.txn == row.channel_txn):\n        _book_to_suspense(",
        "    if succeeded and answer.txn != row.channel_txn:\n        _book_to_suspense(",
        "tests/billing/test_deduction_outcomes.py",
    ),
]

PLANS = [
    bug(
        "a retry joins the debit of what has just become due without being counted",
        "billing/services/attempt_plans.py",
        "self.retries.setdefault(request.obligation.person_id, []).append(PastRetry(str(request.instrument.id), at))",
        "pass",
        "tests/billing/test_split.py",
        "tests/billing/test_deduct.py",
    ),
    bug(
        "a day's limit forgets what the person paid",
        "billing/instrument_queries.py",
        "state__in=[*Deduction.LIVE",
        "purpose=Deduction.Purpose.PLANNED, state__in=[*Deduction.LIVE",
        "tests/billing/test_limits.py",
    ),
    bug(
        "the caps do not count what was tried",
        "billing/queries.py",
        "prepared_at__gt=since, purpose=Deduction.Purpose.PLANNED",
        "prepared_at__lt=since, purpose=Deduction.Purpose.PLANNED",
        "tests/billing/test_deduct.py",
        "tests/billing/test_deduction_outcomes.py",
    ),
    bug(
        "the night begins an hour late",
        PLANNING,
        "if policy.quiet_until <= local.hour < policy.quiet_from:",
        "if policy.quiet_until <= local.hour <= policy.quiet_from:",
        "tests/billing/test_planning.py",
    ),
    bug(
        "after a pause the plan is where it was",
        OBLIGATION,
        'self.plan = [p | {"at": (datetime.fromisoformat(p["at"]) + paused_for).isoformat()} for p in self.plan]',
        "del paused_for",
        "tests/orders/test_ageing.py",
    ),
    bug(
        "going on forgets to end the pause",
        OBLIGATION,
        "        self.paused_at = self.overdue_left = None\n        ages =",
        "        self.overdue_left = None\n        ages =",
        "tests/orders/test_ageing.py",
    ),
    bug(
        "days on which the clock stood still cost their late fee",
        "orders/services/pauses.py",
        "row.resume(at=at, day_end_at=rules.next_midnight(at, row.person.zone))",
        "row.resume(at=at, day_end_at=rules.next_midnight(row.paused_at or at, row.person.zone))",
        "tests/orders/test_ageing.py",
    ),
    bug(
        "one day that cannot be ended stops the others",
        AGE,
        "            return sum(_close_or_keep_error([pair], at=at) for pair in pairs)\n",
        "            return 0\n",
        "tests/orders/test_ageing.py",
    ),
    Bug(
        "a reminder is told again",
        (
            Change(
                "billing/services/reminders.py", "episode=notices.episode_of(when),", 'episode=f"{when} {id(row)}",'
            ),
            Change("billing/services/reminders.py", "obligations.filter(~Exists(existing))", "obligations"),
        ),
        (ONCE,),
    ),
]

MONEY = [
    bug(
        "a loss is booked as ours whosever risk it was",
        "orders/rules.py",
        "return [Move(LOSSES if platform_liable else terms.pending, terms.receivable, amount)]",
        "return [Move(LOSSES, terms.receivable, amount)]",
        "tests/orders/test_write_off.py",
    ),
    bug(
        "a recovery counts as if it had been owed",
        COLLECT,
        "outstanding_minor=0 if was_written_off else -payment.amount.minor",
        "outstanding_minor=-payment.amount.minor",
        "tests/orders/test_write_off.py",
    ),
    bug(
        "parts do not add up to the whole",
        "kernel/money.py",
        "rounded_up = sorted(range(len(shares)), key=lambda i: -shares[i][1])[:remainder]",
        "rounded_up = sorted(range(len(shares)), key=lambda i: -shares[i][1])[: remainder // 2]",
        "tests/kernel/test_money.py",
    ),
    bug(
        "the fee is rounded for each part",
        "orders/rules.py",
        "return fee_of(before + amount, terms) - fee_of(before, terms)",
        "return fee_of(amount, terms)",
        "tests/billing/test_pay.py",
    ),
    bug(
        "a completed order keeps the rest of its hold",
        FINISH,
        "held_minor=-order.ceiling_minor, outstanding_minor=total.minor, open_orders=-1",
        "held_minor=-total.minor, outstanding_minor=total.minor, open_orders=-1",
        "tests/orders/test_complete.py",
    ),
    bug(
        "a paid order stays with its agreement",
        COLLECT,
        "    credit.remove_live_orders([order.agreement_id for order in deducted], by=by, at=at)\n",
        "",
        "tests/billing/test_deduct.py",
    ),
    bug(
        "paying does not clear what was overdue",
        "orders/services/promises.py",
        "overdue_orders=-1 if was_overdue else 0,",
        "overdue_orders=0,",
        "tests/billing/test_overdue.py",
    ),
]

BUGS = [*LOCKS, *OUTCOMES, *PLANS, *MONEY]
