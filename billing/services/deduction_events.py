"""What merchants are told about deductions: one event for each deduction and order."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.models import DeductionLine
from kernel.ids import public
from merchants.services import NewEvent


def failure_of(line: DeductionLine, *, at: datetime) -> dict[str, Any]:
    deduction = line.deduction
    return {"code": deduction.failure_code, "class": deduction.failure_class, "at": at.isoformat()}


def next_attempt_at(line: DeductionLine, plan: Sequence[Mapping[str, Any]] | None) -> datetime | None:
    """When the obligation is collected again: by its new plan, or the old one if there is none. Not while paused."""
    upcoming = line.obligation.plan if plan is None else plan
    return datetime.fromisoformat(upcoming[0]["at"]) if upcoming and line.obligation.paused_at is None else None


def by_order(lines: Iterable[DeductionLine]) -> Iterable[Sequence[DeductionLine]]:
    """The lines of each deduction for each order: its principal and late fee are one deduction to the merchant."""
    groups: dict[tuple[UUID, UUID], list[DeductionLine]] = {}
    for line in lines:
        groups.setdefault((line.deduction_id, line.order_id), []).append(line)
    return groups.values()


def build_event(lines: Sequence[DeductionLine], event: str, **more: Any) -> NewEvent:
    """An event about one order's part of a deduction."""
    line = lines[0]
    data = {
        "id": line.deduction.public_id,
        "order": public("ord", line.order_id),
        "amount": sum(each.amount_minor for each in lines),
        "currency": line.deduction.currency,
        "attempt": max(each.attempt for each in lines),
        **more,
    }
    return NewEvent(line.merchant_id, event, line.order_id, data)
