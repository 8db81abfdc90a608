"""Finds notices that became stale before they were sent. The setting NOTICES_STANDING names `find_stale_notices`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from accounts.models import Notice
from accounts.notice_rules import FINAL_STAGES, OVERDUE_PREFIX
from billing.models import DeductionLine
from kernel.prepared_statements import PreparedQuery
from orders.models import Obligation, ObligationEvent

_OBLIGATIONS = PreparedQuery(lambda keys: Obligation.objects.filter(pk__any=keys), ["uuid[]"])
_LINES = PreparedQuery(
    lambda deductions: DeductionLine.objects.filter(deduction_id__any=deductions).select_related("obligation"),
    ["uuid[]"],
)
_DEMANDS = PreparedQuery(
    lambda debts: (
        Notice.objects.filter(about__any=debts, stage__startswith=OVERDUE_PREFIX)
        .order_by("id")
        .values_list("about", "id")
    ),
    ["uuid[]"],
)


_REDUCTIONS = PreparedQuery(
    lambda orders: ObligationEvent.objects.filter(
        subject__order_id__any=orders, kind__in=("part_paid", "paid", "lowered", "waived")
    ).values_list("subject__order_id", "subject_id", "subject__kind", "at"),
    ["uuid[]"],
)


def find_stale_notices(notices: Sequence[Notice], at: datetime) -> dict[UUID, str]:
    """The reason for each notice that is stale: paid, waived, paused, moved, in flight, too late, or superseded.

    An overdue reminder is also stale if a hardship plan was agreed since, or if less is owed than it says.
    """
    subject_ids = {notice.about for notice in notices if notice.stage not in FINAL_STAGES}
    obligations = {row.id: row for row in _OBLIGATIONS.rows(list(subject_ids))}
    lines: dict[UUID, list[Obligation]] = {}
    others = list(subject_ids - set(obligations))
    for line in _LINES.rows(others) if others else ():
        lines.setdefault(line.deduction_id, []).append(line.obligation)
    demand_subjects = {notice.about for notice in notices if notice.stage.startswith(OVERDUE_PREFIX)}
    latest = dict(_DEMANDS.rows(list(demand_subjects))) if demand_subjects else {}
    reduced_at = _latest_reductions([obligations[key] for key in demand_subjects & set(obligations)])
    reasons = {}
    for notice in notices:
        row = obligations.get(notice.about)
        if notice.stage in FINAL_STAGES:
            reason = ""
        elif notice.stage == "debit_failed":
            rows = lines.get(notice.about, []) if row is None else [row]
            reason = "" if any(row.state in Obligation.OWED for row in rows) else "settled"
        else:
            is_superseded = notice.stage.startswith(OVERDUE_PREFIX) and latest[notice.about] != notice.id
            is_reduced = notice.about in reduced_at and reduced_at[notice.about] > notice.at
            reason = _stale_reason(row, notice, at=at) or (
                "overtaken" if is_superseded else "less_is_owed" if is_reduced else ""
            )
        if reason:
            reasons[notice.id] = reason
    return reasons


def _stale_reason(row: Obligation | None, notice: Notice, *, at: datetime) -> str:
    """Why a reminder about this obligation is stale; empty if it is not."""
    if row is None or row.state not in Obligation.OWED:
        return str(row.state) if row else "gone"
    if row.paused_at is not None:
        return "paused"
    if row.in_flight is not None:
        return "under_way"
    if notice.stage.startswith(OVERDUE_PREFIX):
        return "" if row.state == Obligation.State.OVERDUE else "started_anew"
    if notice.due_at <= at:
        return "too_late"
    return "moved" if notice.stage == "debit_planned" and row.collect_at != notice.due_at else ""


def _latest_reductions(rows: Sequence[Obligation]) -> dict[UUID, datetime]:
    """When what is owed of these, or of their orders' late fees, was last reduced."""
    reduced_at: dict[UUID, datetime] = {}
    for order_id, key, kind, at in _REDUCTIONS.rows([row.order_id for row in rows]) if rows else ():
        for row in rows:
            is_fee_of_order = row.order_id == order_id and kind == Obligation.Kind.LATE_FEE
            if row.id == key or is_fee_of_order:
                reduced_at[row.id] = max(at, reduced_at.get(row.id, at))
    return reduced_at
