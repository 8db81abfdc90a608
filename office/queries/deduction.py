"""One debit with all that it was for and all that was heard of it, in a number of questions that does not grow."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from accounts.models import Notice
from billing.models import Case, ChannelReport, Deduction, DeductionEvent, DeductionLine, Dispute, RefundPart
from ledger.models import Posting
from office.queries.story import SHOWN_MAX, Step, life_of


@dataclass(frozen=True, slots=True)
class DeductionStory:
    """A debit and what belongs to it, each in the order in which it happened."""

    deduction: Deduction
    life: tuple[Step, ...]
    lines: Sequence[DeductionLine]
    reports: Sequence[ChannelReport]
    history: Sequence[DeductionEvent]
    postings: Sequence[Posting]
    cases: Sequence[Case]
    disputes: Sequence[Dispute]
    #: Parts of refunds that give it back.
    back: Sequence[RefundPart]
    notices: Sequence[Notice]
    #: Other debits of the same person from the same instrument, the newest first.
    others: Sequence[Deduction]

    @property
    def came_back_minor(self) -> int:
        """How much of it was given back, or was taken back by the channel."""
        return sum(line.refunded_minor + line.reopened_minor for line in self.lines)


#: So many of the debits beside it are shown.
BESIDE_MAX = 10


def story_of(deduction_id: UUID) -> DeductionStory | None:
    """The debit's story; None where there is no such debit."""
    rows = Deduction.objects.select_related("realm", "person__user", "instrument")
    deduction = rows.filter(pk=deduction_id).first()
    if deduction is None:
        return None
    lines = list(deduction.lines.select_related("order", "merchant", "obligation")[:SHOWN_MAX])
    history = list(deduction.history.order_by("seq")[:SHOWN_MAX])
    cases = list(deduction.cases.order_by("id")[:SHOWN_MAX])
    causes = [line.id for line in lines] + [case.id for case in cases]
    told = Notice.objects.filter(person_id=deduction.person_id, about=deduction.id).prefetch_related("deliveries")
    beside = Deduction.objects.filter(person_id=deduction.person_id, instrument_id=deduction.instrument_id)
    return DeductionStory(
        deduction=deduction,
        life=life_of(deduction, history),
        lines=lines,
        reports=list(deduction.reports.order_by("id")[:SHOWN_MAX]),
        history=history,
        postings=list(Posting.objects.filter(cause_id__in=causes).order_by("id")[:SHOWN_MAX]),
        cases=cases,
        disputes=list(deduction.disputes.order_by("id")[:SHOWN_MAX]),
        back=list(RefundPart.objects.filter(taken__in=lines).select_related("refund").order_by("id")[:SHOWN_MAX]),
        notices=list(told.order_by("id")[:SHOWN_MAX]),
        others=list(beside.exclude(pk=deduction.pk).order_by("-id")[:BESIDE_MAX]),
    )
