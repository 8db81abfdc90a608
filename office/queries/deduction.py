"""One deduction with its debts, channel reports and outcome, in a fixed number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from accounts.models import Notice
from billing.models import Case, ChannelReport, Deduction, DeductionEvent, DeductionLine, Dispute, RefundPart
from ledger.models import Posting
from office.queries.order import SHOWN_MAX, LifecycleStep, lifecycle_of


@dataclass(frozen=True, slots=True)
class DeductionDetail:
    """A deduction and what belongs to it, in chronological order."""

    deduction: Deduction
    lifecycle: tuple[LifecycleStep, ...]
    lines: Sequence[DeductionLine]
    reports: Sequence[ChannelReport]
    history: Sequence[DeductionEvent]
    postings: Sequence[Posting]
    cases: Sequence[Case]
    disputes: Sequence[Dispute]
    #: Refund parts that refund it.
    refund_parts: Sequence[RefundPart]
    notices: Sequence[Notice]
    #: Other deductions of the same person from the same instrument, the newest first.
    other_deductions: Sequence[Deduction]

    @property
    def returned_minor(self) -> int:
        """How much of it was refunded or returned by the channel."""
        return sum(line.refunded_minor + line.reopened_minor for line in self.lines)


#: How many other deductions are shown.
OTHER_DEDUCTIONS_MAX = 10


def deduction_detail(deduction_id: UUID) -> DeductionDetail | None:
    """The deduction's detail; None if there is no such deduction."""
    rows = Deduction.objects.select_related("realm", "person__user", "instrument")
    deduction = rows.filter(pk=deduction_id).first()
    if deduction is None:
        return None
    lines = list(deduction.lines.select_related("order", "merchant", "obligation")[:SHOWN_MAX])
    history = list(deduction.history.order_by("seq")[:SHOWN_MAX])
    cases = list(deduction.cases.order_by("id")[:SHOWN_MAX])
    cause_ids = [line.id for line in lines] + [case.id for case in cases]
    notices = Notice.objects.filter(person_id=deduction.person_id, about=deduction.id).prefetch_related("deliveries")
    others = Deduction.objects.filter(person_id=deduction.person_id, instrument_id=deduction.instrument_id)
    return DeductionDetail(
        deduction=deduction,
        lifecycle=lifecycle_of(deduction, history),
        lines=lines,
        reports=list(deduction.reports.order_by("id")[:SHOWN_MAX]),
        history=history,
        postings=list(Posting.objects.filter(cause_id__in=cause_ids).order_by("id")[:SHOWN_MAX]),
        cases=cases,
        disputes=list(deduction.disputes.order_by("id")[:SHOWN_MAX]),
        refund_parts=list(
            RefundPart.objects.filter(taken__in=lines).select_related("refund").order_by("id")[:SHOWN_MAX]
        ),
        notices=list(notices.order_by("id")[:SHOWN_MAX]),
        other_deductions=list(others.exclude(pk=deduction.pk).order_by("-id")[:OTHER_DEDUCTIONS_MAX]),
    )
