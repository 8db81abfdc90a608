"""Whether what waits to be said is still true just before it is: NOTICES_STANDING names it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from accounts.models import Notice
from accounts.wording import COLLECTION, FACTS
from billing.models import DeductionLine
from kernel.prepared import Reading
from orders.models import Obligation, ObligationEvent

_OF_KEYS = Reading(lambda keys: Obligation.objects.filter(pk__any=keys), ["uuid[]"])
_LINES = Reading(
    lambda deductions: DeductionLine.objects.filter(deduction_id__any=deductions).select_related("obligation"),
    ["uuid[]"],
)
_DEMANDS = Reading(
    lambda debts: (
        Notice.objects.filter(about__any=debts, stage__startswith=COLLECTION).order_by("id").values_list("about", "id")
    ),
    ["uuid[]"],
)


_LESS = Reading(
    lambda orders: ObligationEvent.objects.filter(
        subject__order_id__any=orders, kind__in=("part_paid", "paid", "lowered", "waived")
    ).values_list("subject__order_id", "subject_id", "subject__kind", "at"),
    ["uuid[]"],
)


def standing(notices: Sequence[Notice], at: datetime) -> dict[UUID, str]:
    """Why each of these that no longer stands does not: paid, waived, paused, moved, under way, too late, overtaken.

    A demand is also pointless where a plan was agreed since, and untrue where less is owed than it says.
    """
    abouts = {notice.about for notice in notices if notice.stage not in FACTS}
    obligations = {row.id: row for row in _OF_KEYS.rows(list(abouts))}
    lines: dict[UUID, list[Obligation]] = {}
    others = list(abouts - set(obligations))
    for line in _LINES.rows(others) if others else ():
        lines.setdefault(line.deduction_id, []).append(line.obligation)
    late = {notice.about for notice in notices if notice.stage.startswith(COLLECTION)}
    latest = dict(_DEMANDS.rows(list(late))) if late else {}
    lessened = _lessened([obligations[key] for key in late & set(obligations)])
    gone = {}
    for notice in notices:
        row = obligations.get(notice.about)
        if notice.stage in FACTS:
            reason = ""
        elif notice.stage == "debit_failed":
            rows = lines.get(notice.about, []) if row is None else [row]
            reason = "" if any(row.state in Obligation.OWED for row in rows) else "settled"
        else:
            overtaken = notice.stage.startswith(COLLECTION) and latest[notice.about] != notice.id
            less = notice.about in lessened and lessened[notice.about] > notice.at
            reason = _over(row, notice, at=at) or ("overtaken" if overtaken else "less_is_owed" if less else "")
        if reason:
            gone[notice.id] = reason
    return gone


def _over(row: Obligation | None, notice: Notice, *, at: datetime) -> str:
    """Why a reminder about this obligation is pointless now; empty when it is not."""
    if row is None or row.state not in Obligation.OWED:
        return str(row.state) if row else "gone"
    if row.paused_at is not None:
        return "paused"
    if row.in_flight is not None:
        return "under_way"
    if notice.stage.startswith(COLLECTION):
        return "" if row.state == Obligation.State.OVERDUE else "started_anew"
    if notice.due_at <= at:
        return "too_late"
    return "moved" if notice.stage == "debit_planned" and row.collect_at != notice.due_at else ""


def _lessened(rows: Sequence[Obligation]) -> dict[UUID, datetime]:
    """When less came to be owed of these last, or of the late fees beside them."""
    found: dict[UUID, datetime] = {}
    for order_id, key, kind, at in _LESS.rows([row.order_id for row in rows]) if rows else ():
        for row in rows:
            beside = row.order_id == order_id and kind == Obligation.Kind.LATE_FEE
            if row.id == key or beside:
                found[row.id] = max(at, found.get(row.id, at))
    return found
